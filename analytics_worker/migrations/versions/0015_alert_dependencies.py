"""Add what muting by another rule, new recipients and grouped alerts need; keep all silences in one table."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0015_alert_dependencies"
down_revision = "0014_report_times"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
