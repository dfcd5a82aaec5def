"""Store which relations a dbt test tests, and hold reports whose requirements are not met."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0024_gate"
down_revision = "0023_incidents"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
