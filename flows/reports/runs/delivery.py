"""Send the messages of reports, and count what became of those of certain runs.

Sends whatever is due in the domain: also what earlier runs left. Reads and writes the outbox; safe to
repeat and to kill. What is not sent within the budget is sent by the next sender of any flow.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import Connection

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import (
    deliver_due,
    delivery_statuses,
    messages_of,
    undelivered,
    waiting_for_configuration,
)
from analytics_worker.text import one_line

SEND_BUDGET = timedelta(minutes=10)
MAX_REASONS = 3


class Delivery(TypedDict):
    """Messages of these runs by their status, one for each recipient; and what else was sent."""

    sent: int
    failed: int
    """Given up; the owner is notified."""
    retrying: int
    """Waiting for another attempt, by any later sender."""
    waiting_for_configuration: int
    """Waiting for somebody to configure the channel."""
    sending: int
    """Being sent by another run now."""
    reasons: list[str]
    """Why some were not sent."""
    others: int
    """Messages of other runs that were sent, and notices."""
    unheard: int
    """Failed messages of which nobody could be notified."""


def send_reports(run_ids: Iterable[int]) -> Delivery:
    """Send what is due, then count the messages of these runs.

    Raises:
        CircuitOpenError: the database is known to be unavailable.
    """
    with warehouse() as connection:
        messages = _messages(connection, run_ids)
    return send_messages(messages)


def send_messages(message_ids: Sequence[UUID], *, sent_before: int = 0) -> Delivery:
    """Send what is due, then count these messages, without those that had been sent before."""
    counts = deliver_due("reports", budget=SEND_BUDGET)
    with warehouse() as connection:
        delivery = delivery_of(connection, message_ids)
    delivery["sent"] -= sent_before
    delivery["others"] = max(counts["sent"] - delivery["sent"], 0)
    delivery["unheard"] = counts["unheard"]
    return delivery


def _messages(connection: Connection, run_ids: Iterable[int]) -> list[UUID]:
    return [
        message for run_id in run_ids for message in messages_of(connection, "reports", str(run_id))
    ]


def delivery_of(connection: Connection, message_ids: Sequence[UUID]) -> Delivery:
    """Count what became of messages so far."""
    statuses = delivery_statuses(connection, message_ids)
    rows = undelivered(connection, "reports", message_ids)
    unset = {each.channel for each in waiting_for_configuration(connection)}
    waiting = sum(row["status"] == "pending" and row["channel"] in unset for row in rows)
    return Delivery(
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


def described_delivery(delivery: Delivery) -> str:
    """What became of the messages, in a few words."""
    labels = {
        "failed": "failed",
        "retrying": "will be retried",
        "waiting_for_configuration": "waiting for configuration",
        "sending": "being sent by another run",
    }
    parts = [f"{delivery[name]} {label}" for name, label in labels.items() if delivery[name]]
    reasons = f" ({'; '.join(delivery['reasons'])})" if delivery["reasons"] else ""
    text = ", ".join([f"{_messages_text(delivery['sent'])} sent", *parts]) + reasons
    if delivery["others"]:
        text += f"; also sent {_messages_text(delivery['others'], 'other ')}"
    if delivery["unheard"]:
        count = _messages_text(delivery["unheard"])
        text += f"; nobody could be notified that {count} failed"
    return text


def _messages_text(count: int, which: str = "") -> str:
    return f"1 {which}message" if count == 1 else f"{count} {which}messages"
