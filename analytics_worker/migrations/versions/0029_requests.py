"""Store the results of requested alerts, and which requests were lost with their run."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0029_requests"
down_revision = "0028_restatement"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
