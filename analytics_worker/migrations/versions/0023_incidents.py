"""Store incidents: what fails for one cause, and what each unit reads."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0023_incidents"
down_revision = "0022_completeness"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
