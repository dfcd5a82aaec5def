"""Store the health of each dbt node, and when its relation was built last."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0017_dbt_node_health"
down_revision = "0015_alert_dependencies"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
