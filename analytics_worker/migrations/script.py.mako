"""${message}"""

from alembic import op

from migrations.statements import statements

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    op.get_bind().exec_driver_sql(statements(revision))
