"""Whether somebody was notified of a failing deployment, and when a delivery last failed."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0010_notified"
down_revision = "0009_one_outbox"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
