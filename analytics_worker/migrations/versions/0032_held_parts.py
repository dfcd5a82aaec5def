"""Store which parts of a report are held, and which requirements are not met; hash tables in another way."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0032_held_parts"
down_revision = "0031_partial_periods"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
