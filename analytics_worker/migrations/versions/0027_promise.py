"""Store promises: by when reports and relations are there, and when they were."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0027_promise"
down_revision = "0026_schema_drift"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
