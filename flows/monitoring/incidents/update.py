"""Bring the incidents in step with the units that fail now, and enqueue the messages about the changes.

Reads the tables of all domains; writes the incidents and the messages in the transaction of the caller: all
of it, or nothing. Repeating it changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql
from analytics_worker.delivery import Message, enqueue
from analytics_worker.lineage.graph import Lineage, Node
from analytics_worker.settings import settings
from flows.monitoring.incidents.causes import Problem, group_by_cause, reached
from flows.monitoring.incidents.content import title_of
from flows.monitoring.incidents.graph import incident_lineage
from flows.monitoring.incidents.notices import calm_time, due_messages, is_told_elsewhere
from flows.monitoring.incidents.problems import read_problems, worst_of
from flows.monitoring.incidents.reach import reach_of
from flows.monitoring.incidents.reconcile import Event, Incident, is_connected, reconcile
from flows.monitoring.incidents.store import IncidentRecord, load_incidents, save_incidents

Problems = Mapping[Node, Sequence[Problem]]


class IncidentUpdate(NamedTuple):
    """The changes of one update.

    Attributes:
        changes: A line for each incident that was opened or resolved.
        messages: Ids of the enqueued messages.
        unnotified: Open incidents without a notification, by their cause.
        unread: Kinds of problems that could not be read, and why.
    """

    changes: list[str]
    messages: list[UUID]
    unnotified: list[str]
    unread: list[str]


@dataclass
class _Update:
    """The incidents while they are brought in step."""

    connection: Connection
    now: datetime
    records: dict[UUID, IncidentRecord]
    recent: dict[UUID, IncidentRecord]
    """Those that ended lately, the last one first: they go on if they fail again."""
    changed: dict[UUID, IncidentRecord] = field(default_factory=dict[UUID, IncidentRecord])
    events: list[tuple[Event, str]] = field(default_factory=list[tuple[Event, str]])
    messages: list[Message] = field(default_factory=list[Message])
    ended: set[UUID] = field(default_factory=set[UUID])
    """Incidents whose end is notified."""

    def failing(self) -> dict[Node, list[Problem]]:
        """Return the problems of the units that fail in the open incidents."""
        return {
            unit: record.problems[unit]
            for record in self.records.values()
            for unit in record.incident.units
        }

    def apply(self, problems: Problems) -> None:
        """Bring the incidents in step with the problems."""
        worst = [worst_of(each) for each in problems.values()]
        lineage = incident_lineage(self.connection, worst)
        groups = group_by_cause(worst, lineage)
        before = {**self.recent, **self.records}
        incidents, events = reconcile(
            [each.incident for each in self.records.values()],
            groups,
            self.now,
            uuid4,
            [each.incident for each in self.recent.values()],
        )
        self.records = {
            each.id: self._record(each, before, problems, lineage) for each in incidents
        }
        self.recent = {key: each for key, each in self.recent.items() if each.resolved_at}
        self.changed |= self.records
        for event in events:
            self._apply_event(event, before)

    def _record(
        self,
        incident: Incident,
        before: Mapping[UUID, IncidentRecord],
        problems: Problems,
        lineage: Lineage,
    ) -> IncidentRecord:
        record = before.get(incident.id) or IncidentRecord(incident, {}, self.now)
        if record.resolved_at:
            record.reopen(self.now)
        if record.incident.severity != incident.severity:
            record.severity_since = self.now
        record.incident = incident
        record.problems |= {unit: list(problems[unit]) for unit in incident.units}
        owners = (each.owner for each in problems[incident.cause])
        owner = next(filter(None, owners), None)
        record.owner, record.has_new_owner = owner, owner not in {None, record.owner}
        affected = _affected(problems[incident.cause], lineage) - incident.units
        record.affected = sorted(each for each in affected if each.kind != "deployment")
        return record

    def _apply_event(self, event: Event, before: Mapping[UUID, IncidentRecord]) -> None:
        record = self.records.get(event.incident.id)
        if record is None:
            record = self.changed[event.incident.id] = before[event.incident.id]
            record.incident = _without_failing(record.incident)
            record.resolved_at = self.now
        if event.kind == "merged":
            self._merge(record)
        self.events.append((event, title_of(record)))

    def _merge(self, record: IncidentRecord) -> None:
        """Let those who were notified of it get the end of the incident that it became a part of."""
        record.flapping_since = None
        for each in self.records.values():
            if is_connected(each.incident.units, record.incident.seen):
                record.merged_into = each.incident.id
                each.threads += [thread for thread in record.threads if thread not in each.threads]
                each.told_units |= record.told_units & each.incident.seen
                return

    def notify(self) -> None:
        """Add the messages that are due."""
        flapping = {key: each for key, each in self.recent.items() if each.flapping_since}
        for key, record in {**flapping, **self.changed, **self.records}.items():
            if key in self.ended:
                continue
            before = record.snoozed_until, record.flapping_since
            messages = due_messages(record, self.now, partial(reach_of, self.connection))
            if messages or (record.snoozed_until, record.flapping_since) != before:
                self.changed[key] = record
            self.messages += messages
            self.ended |= {key} if record.resolved_at else set[UUID]()


def _affected(problems: Sequence[Problem], lineage: Lineage) -> set[Node]:
    """Return what the problems of a unit affect: all that it reaches, or what they name and that reaches."""
    if all(each.reached for each in problems):
        start = {node for each in problems for node in each.reached}
        return start.union(*(reached(node, lineage) for node in start))
    return reached(problems[0].unit, lineage)


def _without_failing(incident: Incident) -> Incident:
    return Incident(
        incident.id,
        incident.cause,
        incident.severity,
        incident.opened_at,
        frozenset(),
        incident.seen,
    )


def update_incidents(
    connection: Connection, now: datetime, brief: Sequence[Problem] = ()
) -> IncidentUpdate:
    """Bring the incidents in step with the problems of now.

    Args:
        connection: In a transaction.
        now: The time.
        brief: Problems that began and ended since the last update.
    """
    loaded = load_incidents(connection, now - calm_time())
    update = _Update(connection, now, *_open_and_recent(loaded))
    before = update.failing()
    read = read_problems(connection, before, now)
    passing = {each.unit: [each] for each in brief if each.unit not in before | read.problems}
    if passing:
        update.apply({**read.problems, **passing})
        update.notify()
    if passing or read.problems != before:
        update.apply(read.problems)
    update.notify()
    if update.changed:
        save_incidents(connection, update.changed.values(), update.events, now)
        enqueue(connection, update.messages)
        run_sql(connection, "monitoring/expire_incidents", days=settings().run_retention_days)
    return _result(update, read.errors)


def _open_and_recent(
    loaded: Mapping[UUID, IncidentRecord],
) -> tuple[dict[UUID, IncidentRecord], dict[UUID, IncidentRecord]]:
    still_open = {key: each for key, each in loaded.items() if each.resolved_at is None}
    ended = [(each.resolved_at, key) for key, each in loaded.items() if each.resolved_at]
    return still_open, {key: loaded[key] for _, key in sorted(ended, reverse=True)}


def _result(update: _Update, errors: Mapping[str, str]) -> IncidentUpdate:
    return IncidentUpdate(
        changes=[
            f"{event.incident.cause.name} {event.kind}"
            for event, _ in update.events
            if event.kind in {"opened", "reopened", "resolved"}
        ],
        messages=[each.id for each in update.messages if each.id],
        unnotified=[
            each.incident.cause.name
            for each in update.records.values()
            if not (each.threads or each.snoozed_until or is_told_elsewhere(each))
        ],
        unread=[f"{reader}: {reason}" for reader, reason in errors.items()],
    )
