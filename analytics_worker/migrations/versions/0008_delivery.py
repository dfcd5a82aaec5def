"""Messages, their deliveries, and the pace of the channels: the tables of the delivery engine."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0008_delivery"
down_revision = "0007_locks"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
