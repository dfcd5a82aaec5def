"""Store what reports sent, and how it compares with what their SQL returns later."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0028_restatement"
down_revision = "0027_promise"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
