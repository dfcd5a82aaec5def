"""Decide which messages about an incident are due, and write them.

Recipients are notified when it opens, grows, changes its severity and ends. A fall of the severity, and
growth, wait, so that a unit that fails every other minute does not send a message each time.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from analytics_worker.delivery import Message, Recipient
from analytics_worker.lineage.graph import Node
from flows.monitoring.incidents.content import NoticeKind, incident_content, title_of
from flows.monitoring.incidents.store import IncidentRecord, Thread

HOLD = timedelta(minutes=15)
"""How long a lower severity holds before it is notified, and the time between two messages about growth."""

RecipientsOf = Callable[[str | None], list[Recipient]]


def due_messages(
    record: IncidentRecord, now: datetime, recipients_of: RecipientsOf
) -> list[Message]:
    """Return the messages that are due, and record in the incident that they are."""
    if is_told_elsewhere(record):
        return []
    if record.resolved_at:
        return [] if record.merged_into else _follow_up(record, "resolved")
    kind = _due_kind(record, now)
    if kind is None:
        return []
    new = untold_units(record)
    messages = _opened(record, recipients_of) if kind == "opened" else _follow_up(record, kind, new)
    if messages:
        record.told_severity, record.told_at = record.incident.severity, now
        record.told_units |= record.incident.units
    return messages


def _due_kind(record: IncidentRecord, now: datetime) -> NoticeKind | None:
    if record.snoozed_until:
        if now < record.snoozed_until:
            return None
        record.snoozed_until = None
        return "still_open" if record.threads else "opened"
    if not record.threads or record.told_severity is None or record.told_at is None:
        return "opened"
    rise = record.incident.severity - record.told_severity
    if rise > 0 or (
        rise < 0 and not record.acknowledged_at and now - record.severity_since >= HOLD
    ):
        return "severity_changed"
    may_grow = not record.acknowledged_at and now - record.told_at >= HOLD
    return "grew" if may_grow and untold_units(record) else None


def is_told_elsewhere(record: IncidentRecord) -> bool:
    """Return whether only reports fail, whose messages to their owners name the period and the key."""
    kinds = {unit.kind for unit in record.incident.seen}
    return "report" in kinds <= {"report", "deployment"}


def untold_units(record: IncidentRecord) -> set[Node]:
    """Return the units that fail and that no message has named; a deployment only shows that others fail."""
    return {unit for unit in record.incident.units - record.told_units if unit.kind != "deployment"}


def _opened(record: IncidentRecord, recipients_of: RecipientsOf) -> list[Message]:
    recipients = recipients_of(record.assigned_to or record.owner) or _owners_of_units(
        record, recipients_of
    )
    if not recipients:
        return []
    key = f"incident:{record.incident.id}"
    thread = Thread(uuid4(), title_of(record), key, tuple(recipients))
    record.threads.append(thread)
    return [opening_message(record, thread)]


def _owners_of_units(record: IncidentRecord, recipients_of: RecipientsOf) -> list[Recipient]:
    """Return the recipients of all that fails: a cause without an owner has no other recipients."""
    problems = (record.problems.get(unit, ()) for unit in sorted(record.incident.units))
    owners = dict.fromkeys(each.owner for group in problems for each in group if each.owner)
    return list(dict.fromkeys(to for owner in owners for to in recipients_of(owner)))


def opening_message(record: IncidentRecord, thread: Thread) -> Message:
    """Return the first message to some recipients."""
    return _message(record, "opened", thread, thread.message)


def _follow_up(
    record: IncidentRecord, kind: NoticeKind, new: Sequence[Node] | set[Node] = ()
) -> list[Message]:
    return [_message(record, kind, thread, uuid4(), new) for thread in record.threads]


def _message(
    record: IncidentRecord,
    kind: NoticeKind,
    thread: Thread,
    message_id: UUID,
    new: Sequence[Node] | set[Node] = (),
) -> Message:
    is_first = kind == "opened"
    return Message(
        domain="monitoring",
        kind=f"incident_{kind}",
        content=incident_content(record, kind, None if is_first else thread, new),
        recipients=thread.recipients,
        topic=thread.key,
        follows=None if is_first else thread.message,
        reference=str(record.incident.id),
        id=message_id,
    )
