"""Add what alert states and rules need to notify of each rise, of lost data and of their end."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0013_alert_states"
down_revision = "0012_comments"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
