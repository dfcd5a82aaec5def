"""Create the history of dbt, by run and by node."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0001_dbt_history"
down_revision = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
