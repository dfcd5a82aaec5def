"""Decide which messages about an incident are due, and write them.

Recipients are notified when it opens, grows, changes its severity and ends. A fall of the severity, and
growth, wait, so that a unit that fails every other minute does not send a message each time. An incident that opens
again soon after its end is flapping: one message says so, and the next one comes when it has worked, or failed, for
the calm time.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from analytics_worker.delivery import Content, Message, Recipient
from analytics_worker.lineage.graph import Node
from analytics_worker.settings import settings
from flows.monitoring.incidents.content import NoticeKind, incident_content, title_of
from flows.monitoring.incidents.owners import incident_recipients, shows_addresses
from flows.monitoring.incidents.reach import NO_REACH, Reach
from flows.monitoring.incidents.store import IncidentRecord, Thread

HOLD = timedelta(minutes=15)
"""How long a lower severity holds before it is notified, and the time between two messages about growth."""

ReachOf = Callable[[IncidentRecord], Reach]


def calm_time() -> timedelta:
    """Return how long after its end an incident that fails again goes on."""
    return timedelta(minutes=settings().incident_calm_minutes or 0)


def due_messages(record: IncidentRecord, now: datetime, reach_of: ReachOf) -> list[Message]:
    """Return the messages that are due, and record in the incident that they are."""
    if record.resolved_at:
        return _ended(record, now - record.resolved_at)
    if is_told_elsewhere(record):
        return []
    kind = _due_kind(record, now)
    if kind is None:
        return _new_owner(record, reach_of)
    new = untold_units(record)
    messages = (
        _opened(record, reach_of) if kind == "opened" else _follow_up(record, kind, new, reach_of)
    )
    messages += _new_owner(record, reach_of)
    if messages:
        record.told_severity, record.told_at = record.incident.severity, now
        record.told_units |= record.incident.units
    return messages


def _ended(record: IncidentRecord, age: timedelta) -> list[Message]:
    """Return that it is over; of a flapping one, after the calm time."""
    if record.flapping_since and age < calm_time():
        return []
    record.flapping_since = None
    is_told = record.merged_into or is_told_elsewhere(record)
    return [] if is_told else _follow_up(record, "resolved")


def _due_kind(record: IncidentRecord, now: datetime) -> NoticeKind | None:
    if record.snoozed_until:
        if now < record.snoozed_until:
            return None
        record.snoozed_until = None
        return "still_open" if record.threads else "opened"
    if not record.threads or record.told_severity is None or record.told_at is None:
        return "opened"
    rise = record.incident.severity - record.told_severity
    if rise > 0:
        return "severity_changed"
    if record.flapping_since:
        return _flapping_kind(record, record.flapping_since, record.told_at, now)
    return None if record.acknowledged_at else _held_kind(record, rise, record.told_at, now)


def _held_kind(
    record: IncidentRecord, rise: int, told_at: datetime, now: datetime
) -> NoticeKind | None:
    """Return a fall of the severity, or growth, once it has held."""
    if rise < 0 and now - record.severity_since >= HOLD:
        return "severity_changed"
    return "grew" if now - told_at >= HOLD and untold_units(record) else None


def _flapping_kind(
    record: IncidentRecord, since: datetime, told_at: datetime, now: datetime
) -> NoticeKind | None:
    """Return that it is flapping, once; when it has failed for the calm time, that it is open."""
    if told_at < since:
        return "flapping"
    if now - (record.reopened_at or since) < calm_time():
        return None
    record.flapping_since = None
    return None if record.acknowledged_at else "still_open"


def is_told_elsewhere(record: IncidentRecord) -> bool:
    """Return whether only reports fail, whose messages to their owners name the period and the key."""
    kinds = {unit.kind for unit in record.incident.seen}
    return "report" in kinds <= {"report", "deployment"}


def untold_units(record: IncidentRecord) -> set[Node]:
    """Return the units that fail and that no message has named; a deployment only shows that others fail."""
    return {unit for unit in record.incident.units - record.told_units if unit.kind != "deployment"}


def _opened(record: IncidentRecord, reach_of: ReachOf) -> list[Message]:
    owner = record.assigned_to or record.owner
    owners, recipients = [owner or ""], incident_recipients(owner)
    if not recipients:
        owners = _owners_of_units(record)
        recipients = [to for each in owners for to in incident_recipients(each)]
    return opening_messages(record, recipients, owners, reach_of)


def _new_owner(record: IncidentRecord, reach_of: ReachOf) -> list[Message]:
    """Return the first message to an owner who became that after others were notified."""
    is_due = record.has_new_owner and record.threads and not record.assigned_to
    record.has_new_owner = False
    if not is_due:
        return []
    known = {recipient for thread in record.threads for recipient in thread.recipients}
    found = incident_recipients(record.owner, only_owner=True)
    new = [each for each in found if each not in known]
    return opening_messages(record, new, [record.owner or ""], reach_of)


def _owners_of_units(record: IncidentRecord) -> list[str]:
    """Return the owners of all that fails: a cause without an owner has no other recipients."""
    problems = (record.problems.get(unit, ()) for unit in sorted(record.incident.units))
    return list(dict.fromkeys(each.owner for group in problems for each in group if each.owner))


def opening_messages(
    record: IncidentRecord,
    recipients: Iterable[Recipient],
    owners: Sequence[str],
    reach_of: ReachOf,
) -> list[Message]:
    """Return the first messages to recipients, who also get all that follows."""
    threads = list(_new_threads(record, recipients, owners))
    record.threads += threads
    return [_opening_message(record, thread, reach_of) for thread in threads]


def _new_threads(
    record: IncidentRecord, recipients: Iterable[Recipient], owners: Sequence[str]
) -> Iterator[Thread]:
    """Yield the threads of messages to recipients, those that may see addresses apart from the others."""
    unique = dict.fromkeys(recipients)
    shown = [each for each in unique if shows_addresses(each, owners)]
    others = [each for each in unique if each not in shown]
    for group in filter(None, (shown, others)):
        key = f"incident:{record.incident.id}"
        yield Thread(uuid4(), title_of(record), key, tuple(group), group is shown)


def _opening_message(record: IncidentRecord, thread: Thread, reach_of: ReachOf) -> Message:
    content = incident_content(record, "opened", None, reach=_reach(record, thread, reach_of))
    return _message(record, "opened", thread, content)._replace(id=thread.message)


def _follow_up(
    record: IncidentRecord,
    kind: NoticeKind,
    new: Collection[Node] = (),
    reach_of: ReachOf = lambda _: NO_REACH,
) -> list[Message]:
    return [_following(record, kind, thread, new, reach_of) for thread in record.threads]


def _following(
    record: IncidentRecord,
    kind: NoticeKind,
    thread: Thread,
    new: Collection[Node],
    reach_of: ReachOf,
) -> Message:
    content = incident_content(record, kind, thread, new, _reach(record, thread, reach_of))
    message = _message(record, kind, thread, content)
    return message._replace(follows=thread.message, id=uuid4())


def _message(record: IncidentRecord, kind: NoticeKind, thread: Thread, content: Content) -> Message:
    return Message(
        domain="monitoring",
        kind=f"incident_{kind}",
        content=content,
        recipients=thread.recipients,
        topic=thread.key,
        reference=str(record.incident.id),
    )


def _reach(record: IncidentRecord, thread: Thread, reach_of: ReachOf) -> Reach:
    reach = reach_of(record)
    return reach if thread.shows_addresses else reach.without_addresses()
