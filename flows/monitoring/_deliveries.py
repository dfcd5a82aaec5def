"""Send what monitoring enqueued, and say what a run's own messages came to.

Reads and writes the outbox; deletes messages that are older than RUN_RETENTION_DAYS. Safe to repeat and
to kill: what was not sent, any later run sends, with the same key.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import (
    DeliveryCounts,
    deliver_due,
    delivery_statuses,
    prune,
    undelivered,
)
from analytics_worker.settings import settings

BUDGET = timedelta(seconds=20)
"""How long one run starts new messages; the rest is for the next minute."""


class Deliveries(NamedTuple):
    """The result of one step.

    Attributes:
        counts: Of all messages that were due.
        failed: Of the run's own: how many were given up.
        not_sent: Why some of them were not sent yet, or at all.
    """

    counts: DeliveryCounts
    failed: int
    not_sent: list[str]


def deliver_messages(own: Sequence[UUID]) -> Deliveries:
    """Send what is due.

    Args:
        own: Ids of the messages that this run enqueued.
    """
    counts = deliver_due("monitoring", budget=BUDGET)
    retention = timedelta(days=settings().run_retention_days)
    with warehouse() as connection:
        failed = delivery_statuses(connection, own).get("failed", 0)
        rows = undelivered(connection, "monitoring", own)
        prune(connection, "monitoring", retention)
    reasons = [f"{row['channel']}: {row['last_error'] or 'not tried yet'}" for row in rows]
    return Deliveries(counts, failed, reasons)
