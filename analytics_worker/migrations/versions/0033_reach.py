"""Store how often an incident opened, since when it is flapping, and what promises were last looked at."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0033_reach"
down_revision = "0032_held_parts"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
