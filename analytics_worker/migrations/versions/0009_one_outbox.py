"""Move the three outboxes into the delivery engine's; the old tables stay readable as views."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0009_one_outbox"
down_revision = "0008_delivery"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
