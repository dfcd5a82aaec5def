"""Samples of the worker itself, statistics of its tasks, and who was notified of failing deployments."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0005_monitoring"
down_revision = "0004_reports"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
