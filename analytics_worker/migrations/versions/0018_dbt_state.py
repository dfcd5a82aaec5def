"""Store which states of production are kept for dbt, and more about each node that it ran."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0018_dbt_state"
down_revision = "0017_dbt_node_health"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
