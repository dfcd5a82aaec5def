"""The catalog of the warehouse, the refresh log, and the history of query statistics."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0002_analytics"
down_revision = "0001_dbt_history"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
