"""Store which columns rules and reports read, renamed columns, and the contracts of relations with their checks."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0026_schema_drift"
down_revision = "0024_gate"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
