"""Whether a recipient was notified of a failing deployment, and when a delivery last failed."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0011_notified_deployments"
down_revision = "0010_unnotified_alerts"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
