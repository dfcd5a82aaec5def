"""Move the three outboxes into the delivery engine's; the old tables stay readable as views.

Not among the active revisions until the flows enqueue through `analytics_worker.delivery`: then this file
moves to ``versions/``, and its SQL to ``versions/sql/``.
"""

from pathlib import Path

from alembic import op

revision = "0009_one_outbox"
down_revision = "0008_delivery"


def upgrade() -> None:
    script = Path(__file__).parent / "sql" / f"{revision}.sql"
    op.get_bind().exec_driver_sql(script.read_text())
