"""Deliver the messages of reports, and summarize the deliveries of certain runs.

Delivers everything that is due in the domain, including what earlier runs left. Reads and writes the outbox; safe
to repeat and to kill. Deliveries beyond the time budget are left to the next sender of any flow.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import Connection

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import (
    DeliveryCounts,
    deliver_due,
    delivery_statuses,
    messages_of,
    undelivered,
    waiting_for_configuration,
)
from analytics_worker.text import one_line

SEND_BUDGET = timedelta(minutes=10)
MAX_REASONS = 3


class DeliverySummary(TypedDict):
    """Number of deliveries of certain runs by status; and how many others were sent."""

    sent: int
    failed: int
    """Failed permanently; the owner is notified."""
    retrying: int
    """Due for another attempt, by any later sender."""
    waiting_for_configuration: int
    """Their channel is not configured yet."""
    sending: int
    """Being sent by another sender now."""
    reasons: list[str]
    """Why some were not sent."""
    others: int
    """Deliveries of other runs that were sent, and notices."""
    unheard: int
    """Failed messages without an owner or channel left to notify."""


def send_reports(run_ids: Iterable[int], earlier: Sequence[DeliveryCounts] = ()) -> DeliverySummary:
    """Deliver what is due, then summarize the deliveries of these runs.

    Args:
        run_ids: The runs.
        earlier: Counts of what was sent while they were generated.

    Raises:
        CircuitOpenError: the circuit breaker of the database is open.
    """
    with warehouse() as connection:
        message_ids = _message_ids(connection, run_ids)
    return send_messages(message_ids, earlier=earlier)


def send_messages(
    message_ids: Sequence[UUID], *, sent_before: int = 0, earlier: Sequence[DeliveryCounts] = ()
) -> DeliverySummary:
    """Deliver what is due, then summarize these messages, without what was sent before."""
    counts = [*earlier, deliver_due("reports", budget=SEND_BUDGET)]
    with warehouse() as connection:
        delivery = summarize_deliveries(connection, message_ids)
    delivery["sent"] -= sent_before
    delivery["others"] = max(sum(each["sent"] for each in counts) - delivery["sent"], 0)
    delivery["unheard"] = sum(each["unheard"] for each in counts)
    return delivery


def _message_ids(connection: Connection, run_ids: Iterable[int]) -> list[UUID]:
    return [
        message_id
        for run_id in run_ids
        for message_id in messages_of(connection, "reports", str(run_id))
    ]


def summarize_deliveries(connection: Connection, message_ids: Sequence[UUID]) -> DeliverySummary:
    """Count the deliveries of messages by status."""
    statuses = delivery_statuses(connection, message_ids)
    rows = undelivered(connection, "reports", message_ids)
    unconfigured = {each.channel for each in waiting_for_configuration(connection)}
    waiting = sum(row["status"] == "pending" and row["channel"] in unconfigured for row in rows)
    return DeliverySummary(
        sent=statuses.get("sent", 0) + statuses.get("digested", 0),
        failed=statuses.get("failed", 0),
        retrying=statuses.get("pending", 0) - waiting,
        waiting_for_configuration=waiting,
        sending=statuses.get("sending", 0),
        reasons=_reasons(rows),
        others=0,
        unheard=0,
    )


def _reasons(rows: Sequence[Any]) -> list[str]:
    texts = (one_line(row["last_error"]).rstrip(".") for row in rows if row["last_error"])
    return list(dict.fromkeys(texts))[:MAX_REASONS]


def describe_delivery(delivery: DeliverySummary) -> str:
    """Describe the deliveries in one line."""
    labels = {
        "failed": "failed",
        "retrying": "will be retried",
        "waiting_for_configuration": "waiting for configuration",
        "sending": "being sent by another run",
    }
    parts = [f"{delivery[name]} {label}" for name, label in labels.items() if delivery[name]]
    reasons = f" ({'; '.join(delivery['reasons'])})" if delivery["reasons"] else ""
    text = ", ".join([f"{_message_count(delivery['sent'])} sent", *parts]) + reasons
    if delivery["others"]:
        text += f"; also sent {_message_count(delivery['others'], 'other ')}"
    if delivery["unheard"]:
        count = _message_count(delivery["unheard"])
        text += f"; {count} failed without an owner or channel left to notify"
    return text


def _message_count(count: int, adjective: str = "") -> str:
    return f"1 {adjective}message" if count == 1 else f"{count} {adjective}messages"
