"""Say which rules are not evaluated, because data of their period is missing, and through when relations are complete."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0031_partial_periods"
down_revision = "0029_requests"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
