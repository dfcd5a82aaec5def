"""Store preliminary report runs, and reports with times of their own."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0014_report_times"
down_revision = "0013_alert_states"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
