"""Load and save incidents.

Reads and writes ops.incidents, ops.incident_units and ops.incident_events, in the transaction of the caller.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql
from analytics_worker.delivery import Recipient
from analytics_worker.delivery.outbox import storable
from analytics_worker.lineage.graph import Node
from flows.monitoring.incidents.causes import Problem, Severity
from flows.monitoring.incidents.problems import problem_of, problem_row
from flows.monitoring.incidents.reconcile import Event, Incident

MAX_AFFECTED = 200


@dataclass(frozen=True)
class Thread:
    """The first message to a group of recipients, which all later ones follow."""

    message: UUID
    title: str
    key: str
    """What the messages have in common for incident services."""
    recipients: tuple[Recipient, ...]
    shows_addresses: bool = False
    """Whether its messages name the addresses of those who receive the affected reports."""


@dataclass
class IncidentRecord:
    """An incident, and what recipients know of it."""

    incident: Incident
    problems: dict[Node, list[Problem]]
    severity_since: datetime
    owner: str | None = None
    has_new_owner: bool = False
    """Whether the owner is another one than that of the last update; not stored."""
    affected: list[Node] = field(default_factory=list[Node])
    acknowledged_at: datetime | None = None
    assigned_to: str | None = None
    snoozed_until: datetime | None = None
    told_severity: Severity | None = None
    told_at: datetime | None = None
    told_units: set[Node] = field(default_factory=set[Node])
    threads: list[Thread] = field(default_factory=list[Thread])
    resolved_at: datetime | None = None
    merged_into: UUID | None = None
    openings: int = 1
    """How often it opened: one that fails again soon after its end goes on."""
    reopened_at: datetime | None = None
    flapping_since: datetime | None = None
    """Since when it is flapping: its end is final and notified after a calm time only."""

    def reopen(self, now: datetime) -> None:
        """Note that it fails again: it is flapping for those who were notified of it."""
        self.resolved_at = None
        self.openings += 1
        self.reopened_at = now
        if self.threads:
            self.flapping_since = self.flapping_since or now


def load_incidents(
    connection: Connection, ended_since: datetime | None = None
) -> dict[UUID, IncidentRecord]:
    """Return the open incidents, the oldest first; no other process changes them until the commit.

    Args:
        connection: In a transaction.
        ended_since: Return also those that ended since then, and those whose end is not notified yet.
    """
    run_sql(connection, "monitoring/lock_incidents")
    rows = run_sql(connection, "monitoring/load_incidents", ended_since=ended_since)
    return {row["id"]: _record(row) for row in rows}


def _record(row: RowMapping) -> IncidentRecord:
    units = [(Node(unit["kind"], unit["name"]), unit) for unit in row["units"]]
    failing = frozenset(node for node, unit in units if unit["is_failing"])
    return IncidentRecord(
        incident=Incident(
            id=row["id"],
            cause=Node(row["cause_kind"], row["cause_name"]),
            severity=Severity[row["severity"].upper()],
            opened_at=row["opened_at"],
            units=failing,
            seen=frozenset(node for node, _ in units),
        ),
        problems={
            node: [problem_of(node, each) for each in unit["problems"]] for node, unit in units
        },
        severity_since=row["severity_since"],
        owner=row["owner"],
        affected=[Node(*each) for each in row["affected"]],
        acknowledged_at=row["acknowledged_at"],
        assigned_to=row["assigned_to"],
        snoozed_until=row["snoozed_until"],
        told_severity=Severity[row["told_severity"].upper()] if row["told_severity"] else None,
        told_at=row["told_at"],
        told_units={node for node, unit in units if unit["is_told"]},
        threads=[_thread(each) for each in row["threads"]],
        resolved_at=row["resolved_at"],
        openings=row["openings"],
        reopened_at=row["reopened_at"],
        flapping_since=row["flapping_since"],
    )


def _thread(row: dict[str, Any]) -> Thread:
    recipients = tuple(Recipient(*each) for each in row["recipients"])
    shows_addresses = row.get("shows_addresses", False)
    return Thread(UUID(row["message"]), row["title"], row["key"], recipients, shows_addresses)


def save_incidents(
    connection: Connection,
    records: Iterable[IncidentRecord],
    events: Sequence[tuple[Event, str]],
    now: datetime,
) -> None:
    """Store incidents, and the events with their texts."""
    changed = list(records)
    run_sql(
        connection,
        "monitoring/save_incidents",
        incidents=_json([_row(each) for each in changed]),
        units=_json([row for each in changed for row in _unit_rows(each)]),
        events=_json([_event_row(event, text, now) for event, text in events]),
    )


def _json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(storable(rows), default=str)


def _row(record: IncidentRecord) -> dict[str, Any]:
    incident = record.incident
    return {
        "id": str(incident.id),
        "cause_kind": incident.cause.kind,
        "cause_name": incident.cause.name,
        "severity": incident.severity.name.lower(),
        "severity_since": record.severity_since.isoformat(),
        "owner": record.owner,
        "opened_at": incident.opened_at.isoformat(),
        "resolved_at": _iso(record.resolved_at),
        "merged_into": record.merged_into and str(record.merged_into),
        "affected": record.affected[:MAX_AFFECTED],
        "snoozed_until": _iso(record.snoozed_until),
        "told_severity": record.told_severity and record.told_severity.name.lower(),
        "told_at": _iso(record.told_at),
        "threads": [_thread_row(each) for each in record.threads],
        "openings": record.openings,
        "reopened_at": _iso(record.reopened_at),
        "flapping_since": _iso(record.flapping_since),
    }


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def _thread_row(thread: Thread) -> dict[str, Any]:
    recipients = [[each.channel, each.address] for each in thread.recipients]
    return {
        "message": str(thread.message),
        "title": thread.title,
        "key": thread.key,
        "recipients": recipients,
        "shows_addresses": thread.shows_addresses,
    }


def _unit_rows(record: IncidentRecord) -> list[dict[str, Any]]:
    return [
        {
            "incident_id": str(record.incident.id),
            "kind": unit.kind,
            "name": unit.name,
            "is_failing": unit in record.incident.units,
            "is_told": unit in record.told_units,
            "problems": [problem_row(each) for each in record.problems.get(unit, ())],
        }
        for unit in sorted(record.incident.seen)
    ]


def _event_row(event: Event, text: str, now: datetime) -> dict[str, Any]:
    return {
        "incident_id": str(event.incident.id),
        "at": now.isoformat(),
        "kind": event.kind,
        "severity": event.incident.severity.name.lower(),
        "units": sorted(event.units),
        "text": text,
    }
