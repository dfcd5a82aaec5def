"""Notify the owner that a message could not be delivered, once for each message and channel.

Reads failed deliveries; enqueues notices, in one transaction. Safe to repeat: the id of a notice is
derived from its message and channel. The candidates are the owner, then the other recipients of the
message, then the default channels. Recipients that could not be reached are skipped, and a notice that
fails itself is addressed to the next candidate. If there is none left, ``unheard_at`` is set and the
sender counts it. Failed notices cause no further notices.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from sqlalchemy import Connection

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery.message import Content, Domain, Fact, Message, Recipient
from analytics_worker.delivery.outbox import default_key, write
from analytics_worker.delivery.routing import default_recipients, owner_recipients
from analytics_worker.delivery.statements import Row, execute
from analytics_worker.delivery.store import max_age_seconds
from analytics_worker.send_result import one_line

MAX_LINES = 50
NAMESPACE = UUID("6b1d1f0e-6d0f-4a53-9c3b-0d5d6f3a7c11")

Address = tuple[str, str]


class NoticeCounts(NamedTuple):
    """How many deliveries of notices were enqueued, and how many notices have no recipient left."""

    enqueued: int
    unheard: int


def notify_owners(domain: Domain | None) -> NoticeCounts:
    """Enqueue notices for failed deliveries; return how many, and how many have no recipient left."""
    with warehouse() as connection:
        for group in execute(connection, "failed_groups", domain=domain):
            _create_notice(connection, group)
        notices = execute(
            connection, "open_notices", domain=domain, max_age_seconds=max_age_seconds()
        )
        enqueued = [_address(connection, notice) for notice in notices]
    new_failures = [
        n for n, count in zip(notices, enqueued, strict=True) if not count and not n["unheard"]
    ]
    return NoticeCounts(sum(enqueued), len(new_failures))


def _create_notice(connection: Connection, group: Row) -> None:
    """Write a notice without recipients, and link the failed deliveries to it."""
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
    """Address a notice to the next candidates and return how many; record it if there are none."""
    message_deliveries = execute(
        connection, "message_deliveries", message_id=notice["message_id"], channel=None
    )
    notice_deliveries = execute(
        connection, "message_deliveries", message_id=notice["id"], channel=None
    )
    candidates = next_candidates(
        notice["owner"], notice["fallback"], message_deliveries, notice_deliveries
    )
    added = sum(_add(connection, notice["id"], each) for each in candidates)
    execute(connection, "mark_notified", id=notice["id"], notified=bool(added))
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
    """Return the next candidates; channels that did not answer come last.

    Args:
        owner: The owner of the message.
        fallback: Channels and addresses that the message defines for notices.
        deliveries: The deliveries of the message.
        notices: The deliveries of the notice, all failed.
    """
    failed = {_address_of(row) for row in (*deliveries, *notices) if row["status"] == "failed"}
    unanswering = {
        row["channel"]
        for row in (*deliveries, *notices)
        if row["status"] == "failed" and not row["attempts"]
    }
    candidate_levels = [
        [each for each in level if (each.channel, each.address) not in failed]
        for level in _candidate_levels(owner, fallback, deliveries)
    ]
    answering = [
        [each for each in level if each.channel not in unanswering] for level in candidate_levels
    ]
    return next((level for level in (*answering, *candidate_levels) if level), [])


def _candidate_levels(
    owner: str | None,
    fallback: Sequence[Sequence[str]],
    deliveries: Sequence[Mapping[str, Any]],
) -> list[list[Recipient]]:
    """Return the candidates in order; those of one level are notified together."""
    owner_level = [owner_recipients(owner)] if owner else []
    fallback_levels = [[Recipient(channel, address, "owner")] for channel, address in fallback]
    reached = [
        [Recipient(row["channel"], row["recipient"], "owner")]
        for row in deliveries
        if row["status"] in {"sent", "digested"} and not _names_blind_copies(deliveries)
    ]
    return [*owner_level, *fallback_levels, *reached, default_recipients()]


def _names_blind_copies(deliveries: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the notice names a Bcc recipient, who must not be disclosed to other recipients."""
    unsent = (row for row in deliveries if row["status"] not in {"sent", "digested"})
    return any(row.get("role") == "bcc" for row in unsent)


def _address_of(row: Mapping[str, Any]) -> Address:
    return row["channel"], row["recipient"]


def notice_content(group: Mapping[str, Any], deliveries: Sequence[Mapping[str, Any]]) -> Content:
    """Compose the notice: message, recipients, reasons, and the fix."""
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
            "recipients": failed[:MAX_LINES],
        },
        severity="warning",
        facts=(Fact(label="channel", value=str(group["channel"])),),
        items=tuple(failed[:MAX_LINES]),
    )


def _reason(row: Mapping[str, Any]) -> str:
    return one_line(f"{row['recipient']}: {row['last_error'] or 'unknown'}")


def _shortened(lines: Sequence[str]) -> list[str]:
    more = len(lines) - MAX_LINES
    return [*lines[:MAX_LINES], *([f"… and {more} more"] if more > 0 else [])]


def _hint(group: Mapping[str, Any]) -> list[str]:
    """Return the command that resends a report."""
    if group["domain"] != "reports" or not group["reference"]:
        return []
    command = f"analytics-worker reports resend {one_line(group['reference'])} --failed"
    return ["", "To resend it to the recipients who did not get it:", command]
