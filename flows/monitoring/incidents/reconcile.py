"""Derive the open incidents and what changed from those open before and the groups of problems now.

Pure functions. An incident goes on while one of its units still fails, whichever is the cause by then.
Incidents whose cause turns out to be the same become the oldest of them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from analytics_worker.lineage.graph import Node
from flows.monitoring.incidents.causes import Group, Severity

EventKind = Literal[
    "opened", "split", "grew", "cause_changed", "severity_changed", "merged", "resolved"
]


@dataclass(frozen=True)
class Incident:
    """An open incident."""

    id: UUID
    cause: Node
    severity: Severity
    opened_at: datetime
    units: frozenset[Node]
    """The units that fail now."""
    seen: frozenset[Node]
    """All units that have failed during it, so that one that fails again does not count as new."""


@dataclass(frozen=True)
class Event:
    """A change of an incident."""

    kind: EventKind
    incident: Incident
    units: frozenset[Node] = frozenset()
    """The units that are new, for ``opened``, ``split`` and ``grew``."""


def reconcile(
    before: Iterable[Incident], groups: Iterable[Group], now: datetime, new_id: Callable[[], UUID]
) -> tuple[list[Incident], list[Event]]:
    """Return the incidents that are open now, and the changes since before."""
    ordered = sorted(before, key=lambda incident: (incident.opened_at, incident.id))
    found = list(groups)
    continued = _continuations(ordered, found)
    known = frozenset(unit for incident in ordered for unit in incident.units)
    after, events = list[Incident](), list[Event]()
    for group in found:
        previous = continued.get(group.cause)
        current = _continue(previous, group) if previous else _open(group, now, new_id())
        after.append(current)
        events += _changes(previous, current, known) if previous else [_opened(current, known)]
    failing = frozenset(unit for group in found for unit in group.units)
    ids = {incident.id for incident in after}
    events += [_ended(incident, failing) for incident in ordered if incident.id not in ids]
    return after, events


def _continuations(ordered: list[Incident], groups: list[Group]) -> Mapping[Node, Incident]:
    """Return the incident that each group continues, by the cause of the group: the oldest one first."""
    continued: dict[Node, Incident] = {}
    for incident in ordered:
        shared = [
            group
            for group in groups
            if group.cause not in continued and group.units & incident.units
        ]
        if shared:
            best = min(shared, key=lambda group: _preference(group, incident))
            continued[best.cause] = incident
    return continued


def _preference(group: Group, incident: Incident) -> tuple[bool, datetime, Node]:
    return incident.cause not in group.units, group.since, group.cause


def _open(group: Group, now: datetime, id_: UUID) -> Incident:
    return Incident(id_, group.cause, group.severity, now, group.units, group.units)


def _continue(incident: Incident, group: Group) -> Incident:
    seen = incident.seen | group.units
    return Incident(incident.id, group.cause, group.severity, incident.opened_at, group.units, seen)


def _opened(incident: Incident, known: frozenset[Node]) -> Event:
    is_split = incident.units <= known
    return Event("split" if is_split else "opened", incident, incident.units)


def _changes(previous: Incident, current: Incident, known: frozenset[Node]) -> list[Event]:
    new = current.seen - previous.seen - known
    events = [Event("grew", current, new)] if new else []
    if current.cause != previous.cause:
        events.append(Event("cause_changed", current))
    if current.severity != previous.severity:
        events.append(Event("severity_changed", current))
    return events


def _ended(incident: Incident, failing: frozenset[Node]) -> Event:
    return Event("merged" if incident.units & failing else "resolved", incident)
