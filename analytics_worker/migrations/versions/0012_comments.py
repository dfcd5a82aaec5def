"""Comment every table, view and column of schema ops."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0012_comments"
down_revision = "0011_notified_deployments"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
