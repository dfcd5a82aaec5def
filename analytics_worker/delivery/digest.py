"""Replace a backlog of messages, or messages with something in common, by one digest that names each.

Writes the digest into the outbox and links the deliveries that it replaces, in one transaction. They
stay pending until the digest is settled: then they are ``digested``, or failed like the digest.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple
from uuid import uuid4

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery.digest_lines import (
    RANK,
    digest_links,
    message_entry,
    message_item,
    message_line,
    row_label,
    state_text,
    unlabeled_subject,
)
from analytics_worker.delivery.message import (
    Content,
    Domain,
    Fact,
    Message,
    Recipient,
)
from analytics_worker.delivery.outbox import default_key, enqueue
from analytics_worker.delivery.statements import Row, execute
from analytics_worker.send_result import one_line

MAX_MEMBERS = 200
MAX_LINE = 150


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
    """Compose the digest of a backlog: how many messages of each state, and each in one line."""
    counts = ", ".join(f"{count} {state}" for state, count in _counts(members).items())
    headline = f"{len(members)} messages: {counts}".removesuffix(": ")
    return _content(members, f"[digest] {headline}", headline)


def group_content(members: Sequence[Row], digest_key: str) -> Content:
    """Compose the digest of a group: what its messages have in common, and each, the worst first.

    A digest key without a cause is followed by the worst message.
    """
    ranked = sorted(members, key=_rank)
    headline = f"{len(members)} {one_line(digest_key, MAX_LINE)}"
    if ":" not in digest_key:
        headline += f": {unlabeled_subject(ranked[0])} and {len(members) - 1} more"
    return _content(ranked, f"{row_label(ranked[0])} {headline}", headline)


def _content(members: Sequence[Row], subject: str, headline: str) -> Content:
    listed = members[:MAX_MEMBERS]
    more = len(members) - len(listed)
    cut = [f"… and {more:,} more"] if more else []
    severities = {row["severity"] for row in members}
    return Content(
        subject=subject,
        headline=headline,
        text="\n".join([headline, "", *map(message_line, listed), *cut]) + "\n",
        json={"event": "digest", "messages": [message_entry(row) for row in listed]},
        severity=next((each for each in RANK if each in severities), None),
        facts=tuple(Fact(label=state, value=str(n)) for state, n in _counts(members).items()),
        items=(*map(message_item, listed), *cut),
        links=digest_links(listed),
    )


def _counts(members: Sequence[Row]) -> dict[str, int]:
    """Count the messages by their state, the worst first."""
    states = Counter(state_text(row) for row in sorted(members, key=_rank))
    return {state: count for state, count in states.items() if state}


def _rank(row: Row) -> int:
    return RANK.index(row["severity"]) if row["severity"] in RANK else len(RANK)
