"""Promises with a moved clock: what is stored of relations and reports, and which incidents follow."""

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from analytics_worker.database.connections import warehouse
from flows.monitoring.promises.update import update_promises
from tests.flows.monitoring.incidents import Incidents, Sql

BERLIN = ZoneInfo("Europe/Berlin")
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
ORDERS = "raw.orders"


def at(text: str, day: str = "2026-11-24") -> datetime:
    """Return a time in Berlin; 24 November is a Tuesday."""
    return datetime.fromisoformat(f"{day} {text}").replace(tzinfo=BERLIN)


class Promises:
    """Looks how promises stand at any time, and at the incidents that follow."""

    def __init__(self, sql: Sql, folder: Path) -> None:
        self.sql, self.folder = sql, folder
        self.incidents = Incidents(sql)
        self.problems: list[str] = []
        self.began: Mapping[str, datetime] = {}

    def trust(self, text: str) -> None:
        (self.folder / "trust.yml").write_text(text)

    def report(self, name: str = "daily", **definition: Any) -> None:
        """Store a report that is due at 07:00 in Berlin."""
        stored = {"at": ["07:00:00"], "timezone": "Europe/Berlin", "schedule": "daily"}
        stored |= {"promise": {"by": "07:30:00"}, **definition}
        self.sql(
            "insert into ops.report_definitions (name, definition, schedule, created_at)"
            " values (%s, %s, 'custom', '2026-01-01') on conflict (name) do update set"
            " definition = excluded.definition",
            (name, json.dumps(stored)),
        )

    def run(
        self, status: str = "ready", name: str = "daily", *, key: str = "", end: str = "2026-11-24"
    ) -> int:
        """Store a run of a report, of the period that ends when a day begins."""
        ((run,),) = self.sql(
            "insert into ops.report_runs (report, kind, period, key, definition, period_start, period_end,"
            " status, finished_at) values (%s, 'scheduled', %s, %s, '{}', %s, %s, %s, %s) returning id::int",
            (name, end, key, at("00:00", end), at("00:00", end), status, at("07:01", end)),
        )
        return run

    def delivery(self, run: int, sent_at: datetime | None, status: str = "sent") -> None:
        self.sql(
            "with m as (insert into ops.messages (domain, kind, reference, content)"
            " values ('reports', 'report', %s, '{\"subject\": \"x\"}') returning id, position)"
            " insert into ops.deliveries (message_id, domain, position, channel, recipient, idempotency_key,"
            " status, sent_at) select id, 'reports', position, 'email', 'a@example.com', id::text, %s, %s from m",
            (str(run), status if sent_at else "pending", sent_at),
        )

    def complete(self, through: datetime, measured_at: datetime, name: str = ORDERS) -> None:
        """Store through which instant a relation with a declared column is complete."""
        schema, _, relation = name.partition(".")
        self.sql(
            "insert into ops.completeness (schema_name, relation_name, complete_through, basis, limited_by,"
            " measured_at) values (%s, %s, %s, 'declared column', %s, %s)"
            " on conflict (schema_name, relation_name) do update set"
            " complete_through = excluded.complete_through, measured_at = excluded.measured_at",
            (schema, relation, through, name, measured_at),
        )

    def history(self, name: str, time: str, days: int = 10, dbt: str | None = None) -> None:
        """Store when a promise arrived on the days before, and when dbt ended."""
        for number in range(1, days + 1):
            day = (date(2026, 11, 24) - number * DAY).isoformat()
            values = (
                name,
                day,
                at("07:30", day),
                at("00:00", day),
                at("00:00", day),
                at(time, day),
            )
            self.sql("insert into ops.promise_days values (%s, %s, %s, %s, %s, %s)", values)
            if dbt:
                started = at(dbt, day) - 41 * MINUTE
                self.sql(
                    "insert into ops.dbt_runs (command, started_at, seconds, status)"
                    " values ('dbt run', %s, 41 * 60, 'success')",
                    (started,),
                )

    def tick(self, now: datetime) -> list[str]:
        """Look at the promises, update the incidents, and return the new messages."""
        with warehouse() as connection:
            self.problems = update_promises(connection, now, lambda: self.began)
        self.incidents.now = now
        told = self.incidents.told(timedelta())
        return [each for each in told if each != "report x"]

    def state(self, name: str = ORDERS) -> tuple[str, str]:
        """Return how a promise stands, and why."""
        ((state, message),) = self.sql(
            "select state, message from ops.promises where name = %s", (name,)
        )
        return state, message

    def days(self) -> list[tuple[str, str, bool | None]]:
        """Return name and day of each promised day, and whether it was kept."""
        return self.sql(
            "select name, day::text, arrived_at <= due_at from ops.promise_days order by name, day"
        )
