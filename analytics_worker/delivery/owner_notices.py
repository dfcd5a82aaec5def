"""Notify somebody that a message could not be delivered: once for each message and channel.

Reads failed deliveries; enqueues notices, in one transaction. Safe to repeat: the id of a notice follows
from its message and channel. The owner comes first, then other recipients of the message, then the
default channels; whoever is one of those that could not be reached is passed over, and a notice that
fails itself goes on to the next candidate. It ends with a notice that nobody gets (``unheard_at``), which
the sender counts. Nobody is notified of failed notices.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from sqlalchemy import Connection

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery.message import Content, Domain, Fact, Message, Recipient
from analytics_worker.delivery.outbox import default_key, write
from analytics_worker.delivery.routing import default_recipients, owner_recipient
from analytics_worker.delivery.statements import Row, execute
from analytics_worker.delivery.store import max_age_seconds
from analytics_worker.send_result import one_line

MOST_LINES = 50
NAMESPACE = UUID("6b1d1f0e-6d0f-4a53-9c3b-0d5d6f3a7c11")

Address = tuple[str, str]


class Notices(NamedTuple):
    """How many deliveries of notices were enqueued, and how many messages nobody is notified of."""

    enqueued: int
    unheard: int


def notify_owners(domain: Domain | None) -> Notices:
    """Enqueue what there is to notify; return how much, and what has nobody left to notify."""
    with warehouse() as connection:
        for group in execute(connection, "failed_groups", domain=domain):
            _create_notice(connection, group)
        notices = execute(
            connection, "open_notices", domain=domain, max_age_seconds=max_age_seconds()
        )
        enqueued = [_address(connection, notice) for notice in notices]
    newly = [
        n for n, count in zip(notices, enqueued, strict=True) if not count and not n["unheard"]
    ]
    return Notices(sum(enqueued), len(newly))


def _create_notice(connection: Connection, group: Row) -> None:
    """Write the notice, addressed to nobody yet, and link the failed deliveries to it."""
    message_id, name = group["message_id"], group["channel"]
    notice_id = uuid5(NAMESPACE, f"{message_id}/{name}/{group['resent']}")
    deliveries = execute(connection, "message_deliveries", message_id=message_id, channel=name)
    notice = Message(
        domain=group["domain"],
        kind="delivery_failed",
        content=notice_content(group, deliveries),
        recipients=[],
        reference=group["reference"],
        id=notice_id,
    )
    write(connection, [(notice, {"notice_of": message_id, "notice_channel": name})])
    execute(connection, "link_notice", notice_id=notice_id, deliveries=group["deliveries"])


def _address(connection: Connection, notice: Row) -> int:
    """Address a notice to the next candidates; return how many, and record if there are none."""
    others = execute(
        connection, "message_deliveries", message_id=notice["message_id"], channel=None
    )
    earlier = execute(connection, "message_deliveries", message_id=notice["id"], channel=None)
    chosen = next_candidates(notice["owner"], notice["fallback"], others, earlier)
    added = sum(_add(connection, notice["id"], each) for each in chosen)
    execute(connection, "mark_heard", id=notice["id"], heard=bool(added))
    return added


def _add(connection: Connection, notice_id: UUID, to: Recipient) -> int:
    key = default_key(notice_id, to)
    rows = execute(
        connection,
        "address_notice",
        id=notice_id,
        channel=to.channel,
        recipient=to.address,
        key=key,
    )
    return len(rows)


def next_candidates(
    owner: str | None,
    fallback: Sequence[Sequence[str]],
    deliveries: Sequence[Mapping[str, Any]],
    notices: Sequence[Mapping[str, Any]],
) -> list[Recipient]:
    """Return whom to notify next; a channel that did not answer is left for last.

    Args:
        owner: Of the message.
        fallback: Channels and addresses that the message names for this.
        deliveries: Of the message.
        notices: Deliveries of the notice, all failed.
    """
    failed = {_address_of(row) for row in (*deliveries, *notices) if row["status"] == "failed"}
    silent = {
        row["channel"]
        for row in (*deliveries, *notices)
        if row["status"] == "failed" and not row["attempts"]
    }
    levels = [
        [each for each in level if (each.channel, each.address) not in failed]
        for level in _levels(owner, fallback, deliveries)
    ]
    answering = [[each for each in level if each.channel not in silent] for level in levels]
    return next((level for level in (*answering, *levels) if level), [])


def _levels(
    owner: str | None,
    fallback: Sequence[Sequence[str]],
    deliveries: Sequence[Mapping[str, Any]],
) -> list[list[Recipient]]:
    """Return the candidates, first ones first; those of one level are notified together."""
    first = [[owner_recipient(owner)]] if owner else []
    named = [[Recipient(channel, address, "owner")] for channel, address in fallback]
    got_it = [
        [Recipient(row["channel"], row["recipient"], "owner")]
        for row in deliveries
        if row["status"] in {"sent", "digested"} and not _names_blind_copies(deliveries)
    ]
    return [*first, *named, *got_it, default_recipients()]


def _names_blind_copies(deliveries: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the notice names somebody who is to be named to no other recipient."""
    unsent = (row for row in deliveries if row["status"] not in {"sent", "digested"})
    return any(row.get("role") == "bcc" for row in unsent)


def _address_of(row: Mapping[str, Any]) -> Address:
    return row["channel"], row["recipient"]


def notice_content(group: Mapping[str, Any], deliveries: Sequence[Mapping[str, Any]]) -> Content:
    """Compose the notice: which message, which recipients, why, and what can be done."""
    subject = one_line(str(group["subject"] or "(no subject)"))
    failed = [_reason(row) for row in deliveries if row["status"] == "failed"]
    waiting = [_reason(row) for row in deliveries if row["status"] in {"pending", "sending"}]
    text = "\n".join(
        [
            "A message could not be delivered to all recipients. It will not be retried.",
            "",
            f"Message: {subject}",
            f"Channel: {group['channel']}",
            "",
            *_shortened(failed),
            *(["", "Still being retried:", *_shortened(waiting)] if waiting else []),
            *_hint(group),
        ]
    )
    return Content(
        subject=f"Not delivered: {subject}",
        headline=subject,
        text=f"{text}\n",
        json={
            "event": "delivery_failed",
            "subject": subject,
            "channel": group["channel"],
            "recipients": failed[:MOST_LINES],
        },
        severity="warning",
        facts=(Fact(label="channel", value=str(group["channel"])),),
        items=tuple(failed[:MOST_LINES]),
    )


def _reason(row: Mapping[str, Any]) -> str:
    return one_line(f"{row['recipient']}: {row['last_error'] or 'unknown'}")


def _shortened(lines: Sequence[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], *([f"… and {more} more"] if more > 0 else [])]


def _hint(group: Mapping[str, Any]) -> list[str]:
    """Return how to send a report again."""
    if group["domain"] != "reports" or not group["reference"]:
        return []
    command = f"analytics-worker reports resend {one_line(group['reference'])} --failed"
    return ["", "To send it again to those who did not get it:", command]
