"""Keep all digits of the values of alerts."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0019_exact_values"
down_revision = "0020_sendable_deliveries"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
