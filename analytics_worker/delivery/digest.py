"""Replace a backlog of messages, or messages with something in common, by one digest that names each.

Writes the digest into the outbox and links the deliveries that it replaces, in one transaction. They
stay pending until the digest is settled: then they are ``digested``, or failed like the digest.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple
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
MAX_SUBJECT = 300
MAX_URL = 2000

_LABEL = re.compile(r"\[[^\]]*\]\s+(?=\S)")
_RANK: tuple[Severity, ...] = ("critical", "warning", "info", "ok")


class Group(NamedTuple):
    """Messages for one recipient that have a digest key in common."""

    digest_key: str
    ids: Sequence[str]


def create_digest(channel: str, recipient: str, domain: Domain, group: Group | None = None) -> int:
    """Create a digest of a group, or of the due messages for a recipient; return of how many."""
    with warehouse() as connection:
        members = execute(
            connection,
            "digest_members",
            channel=channel,
            recipient=recipient,
            domain=domain,
            ids=list(group.ids) if group else None,
            max_members=None if group else MAX_MEMBERS,
        )
        if len(members) < 2:  # noqa: PLR2004  # another sender was faster
            return 0
        message_id, to = uuid4(), Recipient(channel, recipient)
        content = group_content(members, group.digest_key) if group else digest_content(members)
        enqueue(connection, [Message(domain, "digest", content, [to], id=message_id)])
        execute(
            connection,
            "link_digest",
            key=default_key(message_id, to),
            queued_at=min(row["queued_at"] for row in members),
            members=[str(row["id"]) for row in members],
        )
    return len(members)


def digest_content(members: Sequence[Row]) -> Content:
    """Compose the digest of a backlog: how many messages of each severity, and each in one line."""
    headline = f"{len(members)} messages: {_counts(members)}".removesuffix(": ")
    return _content(members, f"[digest] {headline}", headline)


def group_content(members: Sequence[Row], digest_key: str) -> Content:
    """Compose the digest of a group: what its messages have in common, and each, the worst first.

    A digest key without a cause is followed by the worst message.
    """
    ranked = sorted(members, key=_rank)
    label = _LABEL.match(_subject(ranked[0]))
    headline = f"{len(members)} {one_line(digest_key, MAX_LINE)}"
    if ":" not in digest_key:
        worst = _LABEL.sub("", _subject(ranked[0]))
        headline += f": {worst} and {len(members) - 1} more"
    return _content(ranked, f"{label[0] if label else '[digest] '}{headline}", headline)


def _content(members: Sequence[Row], subject: str, headline: str) -> Content:
    listed = members[:MAX_MEMBERS]
    more = len(members) - len(listed)
    cut = [f"… and {more:,} more"] if more else []
    severities = Counter(row["severity"] for row in members if row["severity"] in _RANK)
    ranked: list[Severity] = [each for each in _RANK if severities[each]]
    return Content(
        subject=subject,
        headline=headline,
        text="\n".join([headline, "", *map(_line, listed), *cut]) + "\n",
        json={"event": "digest", "messages": [_entry(row) for row in listed]},
        severity=ranked[0] if ranked else None,
        facts=tuple(Fact(label=each, value=str(severities[each])) for each in ranked),
        items=(*map(_item, listed), *cut),
        links=tuple(Link(label=_subject(row), url=row["url"]) for row in members[:1] if row["url"]),
    )


def _counts(members: Sequence[Row]) -> str:
    severities = Counter(row["severity"] for row in members)
    return ", ".join(f"{severities[each]} {each}" for each in _RANK if severities[each])


def _rank(row: Row) -> int:
    return _RANK.index(row["severity"]) if row["severity"] in _RANK else len(_RANK)


def _subject(row: Row) -> str:
    return one_line(str(row["subject"] or "(no subject)"), MAX_SUBJECT)


def _item(row: Row) -> str:
    severity, subject = row["severity"], _subject(row)
    label = _LABEL.match(subject)
    is_labeled = label and (severity == "ok" or str(severity) in label[0].lower())
    return f"{severity}: {subject}" if severity in _RANK and not is_labeled else subject


def _line(row: Row) -> str:
    url = one_line(str(row["url"] or ""), MAX_URL)
    return f"- {_item(row)}" + (f" {url}" if url else "")


def _entry(row: Row) -> dict[str, str | None]:
    return {"subject": _subject(row), "severity": row["severity"], "url": row["url"]}
