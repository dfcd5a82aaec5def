"""Store through which instant each relation is complete."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0022_completeness"
down_revision = "0019_exact_values"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
