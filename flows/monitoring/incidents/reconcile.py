"""Derive the open incidents and what changed from those open before and the groups of problems now.

Pure functions. An incident goes on while one of its units still fails, whichever is the cause by then; units
that are left without their cause stay together. One that ended lately goes on if its cause fails again. Incidents
whose cause turns out to be the same become the oldest of them. A deployment fails with any unit of its runs, so that
it alone connects no incidents.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from analytics_worker.lineage.graph import Node
from flows.monitoring.incidents.causes import Group, Severity

EventKind = Literal[
    "opened", "reopened", "grew", "cause_changed", "severity_changed", "merged", "resolved"
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
    """The units that are new, for ``opened``, ``reopened`` and ``grew``."""


def reconcile(
    before: Iterable[Incident],
    groups: Iterable[Group],
    now: datetime,
    new_id: Callable[[], UUID],
    ended: Iterable[Incident] = (),
) -> tuple[list[Incident], list[Event]]:
    """Return the incidents that are open now, and the changes since before.

    Args:
        before: The open incidents.
        groups: The problems of now.
        now: The time.
        new_id: Returns the id of a new incident.
        ended: The incidents that ended lately, the last one first: one whose cause fails again goes on.
    """
    ordered = sorted(before, key=lambda incident: (incident.opened_at, incident.id))
    continued, new = _continuations(ordered, groups)
    known = frozenset(unit for incident in ordered for unit in incident.units)
    after, events = list[Incident](), list[Event]()
    for incident in ordered:
        if group := continued.get(incident.id):
            current = _continue(incident, group)
            after.append(current)
            events += _changes(incident, current, known)
    started = _started(new, ended, now, new_id)
    after += [event.incident for event in started]
    events += started
    failing = frozenset(unit for incident in after for unit in incident.units)
    events += [_ended(incident, failing) for incident in ordered if incident.id not in continued]
    return after, events


def _continuations(
    ordered: list[Incident], groups: Iterable[Group]
) -> tuple[Mapping[UUID, Group], list[Group]]:
    """Return the group that each incident continues with, the oldest one first, and the other groups."""
    continued: dict[UUID, Group] = {}
    waiting = list(groups)
    for incident in ordered:
        shared = [group for group in waiting if is_connected(group.units, incident.units)]
        if shared:
            best = min(shared, key=lambda group: _preference(group, incident))
            parts = [each for each in shared if each is best or each.cause in incident.units]
            continued[incident.id] = _joined(best, parts)
            waiting = [group for group in waiting if group not in parts]
    return continued, waiting


def is_connected(now: frozenset[Node], before: frozenset[Node]) -> bool:
    """Return whether they share a unit; a deployment counts if one of them has nothing else."""
    return bool(_without_deployments(now & before)) or (
        bool(now & before) and not (_without_deployments(now) and _without_deployments(before))
    )


def _without_deployments(units: frozenset[Node]) -> frozenset[Node]:
    return frozenset(unit for unit in units if unit.kind != "deployment")


def _joined(best: Group, parts: Iterable[Group]) -> Group:
    """Return one group of those that are left of an incident, by the cause of the first."""
    groups = list(parts)
    severity = max(group.severity for group in groups)
    units = frozenset(unit for group in groups for unit in group.units)
    return Group(best.cause, severity, best.since, units)


def _preference(group: Group, incident: Incident) -> tuple[bool, datetime, Node]:
    return incident.cause not in group.units, group.since, group.cause


def _started(
    groups: Iterable[Group],
    ended: Iterable[Incident],
    now: datetime,
    new_id: Callable[[], UUID],
) -> list[Event]:
    """Return the incidents of groups that continue no open one."""
    waiting, events = list(ended), list[Event]()
    for group in groups:
        earlier = next((each for each in waiting if _goes_on(each, group)), None)
        if earlier:
            waiting.remove(earlier)
        events.append(_reopened(earlier, group) if earlier else _opened(group, now, new_id()))
    return events


def _goes_on(ended: Incident, group: Group) -> bool:
    """Return whether a unit of the incident is the cause again; a deployment, if it was the cause."""
    is_unit = group.cause in ended.seen and group.cause.kind != "deployment"
    return is_unit or group.cause == ended.cause


def _opened(group: Group, now: datetime, id_: UUID) -> Event:
    opened = Incident(id_, group.cause, group.severity, now, group.units, group.units)
    return Event("opened", opened, group.units)


def _reopened(incident: Incident, group: Group) -> Event:
    return Event("reopened", _continue(incident, group), group.units)


def _continue(incident: Incident, group: Group) -> Incident:
    seen = incident.seen | group.units
    return Incident(incident.id, group.cause, group.severity, incident.opened_at, group.units, seen)


def _changes(previous: Incident, current: Incident, known: frozenset[Node]) -> list[Event]:
    new = current.seen - previous.seen - known
    events = [Event("grew", current, new)] if new else []
    if current.cause != previous.cause:
        events.append(Event("cause_changed", current))
    if current.severity != previous.severity:
        events.append(Event("severity_changed", current))
    return events


def _ended(incident: Incident, failing: frozenset[Node]) -> Event:
    return Event("merged" if is_connected(failing, incident.units) else "resolved", incident)
