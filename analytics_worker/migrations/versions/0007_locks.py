"""Locks that other roles cannot take: rows, and advisory keys that are new each time."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0007_locks"
down_revision = "0006_rules_in_place"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
