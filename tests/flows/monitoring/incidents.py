"""Fill the tables that problems are read from, and show the incidents that follow."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from analytics_worker.database.connections import warehouse
from flows.monitoring.incidents.update import IncidentUpdate, update_incidents

START = datetime.now(UTC)
NIGHT = timedelta(days=1)
Sql = Callable[..., list[tuple[Any, ...]]]


class Warehouse:
    """The state of units, as the domains store it."""

    def __init__(self, sql: Sql) -> None:
        self.sql = sql

    def node(
        self, name: str, status: str = "failing", *, kind: str = "model", owner: str | None = None
    ) -> None:
        """Store the last result of a dbt node: failing, ok or warning."""
        warned = "now()" if status == "warning" else "null"
        stored = "ok" if status == "warning" else status
        self.sql(
            "insert into ops.dbt_node_health (unique_id, schema_name, relation_name, project,"
            " resource_type, name, status, since, message, owner, warned_since)"
            f" values (%s, 'analytics', %s, 'p', %s, %s, %s, now(), 'it broke', %s, {warned})"
            " on conflict (unique_id, database_name, schema_name, relation_name) do update set"
            " status = excluded.status, since = excluded.since, warned_since = excluded.warned_since",
            (f"{kind}.p.{name}", name, kind, name, stored, owner),
        )

    def model_reads(self, name: str, *inputs: str) -> None:
        rows = json.dumps([["analytics", each] for each in inputs])
        self.sql(
            "insert into ops.dbt_relations values ('p', 'analytics', %s, null, %s)", (name, rows)
        )

    def reads(self, kind: str, name: str, *relations: str) -> None:
        rows = json.dumps([each.split(".") for each in relations])
        self.sql(
            "insert into ops.unit_reads (kind, name, relations) values (%s, %s, %s)",
            (kind, name, rows),
        )

    def rule(self, name: str, error: str | None = "no such table", **definition: Any) -> None:
        since = "now()" if error else "null"
        self.sql(
            "insert into ops.alert_rules (kind, name, definition, every, error, error_since)"
            f" values ('alert', %s, %s, '5 min', %s, {since}) on conflict (kind, name) do update set"
            " error = excluded.error, error_since = excluded.error_since",
            (name, json.dumps(definition), error),
        )

    def report(self, name: str, error: str | None, *, period: str, **definition: Any) -> None:
        self.sql(
            "insert into ops.report_definitions (name, definition, schedule) values (%s, %s, 'daily')"
            " on conflict do nothing",
            (name, json.dumps(definition)),
        )
        self.sql(
            "insert into ops.report_runs (report, kind, period, key, definition, period_start, period_end,"
            " status, error, finished_at) values (%s, 'scheduled', %s, '', '{}', now(), now(), %s, %s, now())",
            (name, period, "failed" if error else "ready", error),
        )

    def refresh(self, view: str, status: str) -> None:
        self.sql(
            "insert into ops.refresh_log (schema_name, view_name, view_oid, status, reason, error,"
            " started_at, finished_at) values ('analytics', %s, %s::regclass, %s, 'changed', 'too slow',"
            " now() - interval '9 min', now() - interval '8 min')",
            (view, f"analytics.{view}", status),
        )

    def deployment(self, name: str, status: str, state: str, run_id: str | None = None) -> None:
        self.sql(
            "insert into ops.deployment_health values (%s, %s, now(), 1, %s, now(), %s, 'a message')"
            " on conflict (deployment) do update set status = excluded.status,"
            " last_run_id = excluded.last_run_id, last_state = excluded.last_state",
            (name, status, run_id or str(uuid4()), state),
        )


class Incidents:
    """Updates the incidents with a moved clock, and reads what follows."""

    def __init__(self, sql: Sql) -> None:
        self.sql = sql
        self.now = START
        self.last: IncidentUpdate | None = None
        self._messages = self._events = 0

    def update(self, after: timedelta = timedelta(minutes=1)) -> IncidentUpdate:
        self.now += after
        with warehouse() as connection:
            self.last = update_incidents(connection, self.now)
        return self.last

    def seen(self) -> None:
        """Leave out the messages that there are already."""
        ((self._messages,),) = self.sql("select count(*)::int from ops.messages")

    def told(self, after: timedelta = timedelta(minutes=1)) -> list[str]:
        """Update; return kind and subject of each new message."""
        self.update(after)
        found = self.sql("select kind, content ->> 'subject' from ops.messages order by position")
        new, self._messages = found[self._messages :], len(found)
        return [f"{kind.removeprefix('incident_')} {subject}" for kind, subject in new]

    def events(self) -> list[str]:
        """Return kind and cause of each new event."""
        found = self.sql(
            "select e.kind, i.cause_name from ops.incident_events as e"
            " join ops.incidents as i on e.incident_id = i.id order by e.id"
        )
        new, self._events = found[self._events :], len(found)
        return [f"{kind} {cause}" for kind, cause in new]

    def open(self) -> list[tuple[str, str, int]]:
        """Return cause, severity and the number of failing units of each open incident."""
        return self.sql(
            "select cause_name, severity, (select count(*)::int from ops.incident_units as u"
            " where u.incident_id = i.id and u.is_failing) from ops.incidents as i"
            " where resolved_at is null order by opened_at, cause_name"
        )
