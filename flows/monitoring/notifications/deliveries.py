"""Send the due messages of monitoring, and report the status of those that this run enqueued.

Reads and writes the outbox; deletes messages older than RUN_RETENTION_DAYS. Safe to repeat and to kill: a
later run sends what was not sent, with the same key.
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
"""Time in which one run starts to send messages; the next run sends the others."""


class Deliveries(NamedTuple):
    """The result of one delivery step.

    Attributes:
        counts: Of all messages that were due.
        failed: Number of the run's own messages that failed permanently.
        failed_notifications: Why some of the run's own messages were not sent.
    """

    counts: DeliveryCounts
    failed: int
    failed_notifications: list[str]


def deliver_messages(message_ids: Sequence[UUID]) -> Deliveries:
    """Send the due messages.

    Args:
        message_ids: Ids of the messages that this run enqueued.
    """
    counts = deliver_due("monitoring", budget=BUDGET)
    retention = timedelta(days=settings().run_retention_days)
    with warehouse() as connection:
        failed = delivery_statuses(connection, message_ids).get("failed", 0)
        rows = undelivered(connection, "monitoring", message_ids)
        prune(connection, "monitoring", retention)
    reasons = [f"{row['channel']}: {row['last_error'] or 'not attempted yet'}" for row in rows]
    return Deliveries(counts, failed, reasons)
