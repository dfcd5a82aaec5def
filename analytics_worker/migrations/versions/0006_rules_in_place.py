"""Room in the rows of the rules, so that the update of every evaluation stays in place."""

from alembic import op

from analytics_worker.migrations.statements import statements

revision = "0006_rules_in_place"
down_revision = "0005_monitoring"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
