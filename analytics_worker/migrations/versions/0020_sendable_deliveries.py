"""Create the view of the deliveries that wait for no other message."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0020_sendable_deliveries"
down_revision = "0018_dbt_state"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
