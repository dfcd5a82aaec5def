"""Show which alerts had no notification, and find the messages of a topic."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0010_unnotified_alerts"
down_revision = "0009_one_outbox"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
