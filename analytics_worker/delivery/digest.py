"""Replace a backlog of messages, or messages with something in common, by one digest that names each.

Writes the digest into the outbox and links the deliveries that it replaces, in one transaction. They
stay pending until the digest is settled: then they are ``digested``, or failed like the digest.
"""

from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery.message import (
    Content,
    Domain,
    Fact,
    Link,
    Message,
    Recipient,
    Severity,
)
from analytics_worker.delivery.outbox import default_key, enqueue
from analytics_worker.delivery.statements import Row, execute
from analytics_worker.send_result import one_line

MAX_MEMBERS = 200
MAX_LINE = 150
MAX_URL = 2000

_RANK: tuple[Severity, ...] = ("critical", "warning", "info", "ok")


def create_digest(
    channel: str, recipient: str, domain: Domain, digest_key: str | None = None
) -> int:
    """Create a digest of the due messages for a recipient, with that key; return how many it names."""
    with warehouse() as connection:
        members = execute(
            connection,
            "digest_members",
            channel=channel,
            recipient=recipient,
            domain=domain,
            digest_key=digest_key,
            max_members=MAX_MEMBERS,
        )
        if len(members) < 2:  # noqa: PLR2004  # another sender was faster
            return 0
        message_id, to = uuid4(), Recipient(channel, recipient)
        digest = Message(
            domain, "digest", digest_content(members, digest_key or "messages"), [to], id=message_id
        )
        enqueue(connection, [digest])
        execute(
            connection,
            "link_digest",
            key=default_key(message_id, to),
            queued_at=min(row["queued_at"] for row in members),
            members=[str(row["id"]) for row in members],
        )
    return len(members)


def digest_content(members: Sequence[Row], noun: str = "messages") -> Content:
    """Compose the message: what the members are, and each with its severity, subject and link."""
    severities = Counter(row["severity"] for row in members if row["severity"] in _RANK)
    ranked: list[Severity] = [severity for severity in _RANK if severities[severity]]
    counts = ", ".join(f"{severities[severity]} {severity}" for severity in ranked)
    counted = f": {counts}" if counts and noun == "messages" else ""
    headline = f"{len(members)} {one_line(noun, MAX_LINE)}{counted}"
    return Content(
        subject=f"[digest] {headline}",
        headline=headline,
        text="\n".join([headline, "", *map(_line, members)]) + "\n",
        json={"event": "digest", "messages": [_entry(row) for row in members]},
        severity=ranked[0] if ranked else None,
        facts=tuple(Fact(label=each, value=str(severities[each])) for each in ranked),
        items=tuple(_item(row) for row in members),
        links=tuple(Link(label=_subject(row), url=row["url"]) for row in members[:1] if row["url"]),
    )


def _subject(row: Row) -> str:
    return one_line(str(row["subject"] or "(no subject)"), MAX_LINE)


def _item(row: Row) -> str:
    severity = f"{row['severity']}: " if row["severity"] in _RANK else ""
    return f"{severity}{_subject(row)}"


def _line(row: Row) -> str:
    url = one_line(str(row["url"] or ""), MAX_URL)
    return f"- {_item(row)}" + (f" {url}" if url else "")


def _entry(row: Row) -> dict[str, str | None]:
    return {"subject": _subject(row), "severity": row["severity"], "url": row["url"]}
