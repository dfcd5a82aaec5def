"""Report definitions, one row per report run, and the outbox of their mails."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0004_reports"
down_revision = "0003_alerts"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
