"""Alert rules, their states and history, and the outbox of their notifications."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0003_alerts"
down_revision = "0002_analytics"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
