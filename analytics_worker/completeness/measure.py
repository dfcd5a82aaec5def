"""Measure the declared event-time columns whose relation changed.

Reads the columns as the reader, with its limits; writes ops.event_time_measurements, ops.event_hours and
ops.completeness_history. A relation that can't be measured has a reason of its own, and stops no other.
"""

import json
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping

from analytics_worker.calendars.working_days import load_working_days
from analytics_worker.completeness.arrival_pattern import (
    Arrivals,
    Completeness,
    Holidays,
    complete_through,
)
from analytics_worker.completeness.event_time import DATE, TIMESTAMPTZ, TYPES
from analytics_worker.completeness.events import Counted, Events, read_events
from analytics_worker.completeness.statements import run
from analytics_worker.completeness.trust_file import FILE, load_watermarks
from analytics_worker.database.connections import reader_url, warehouse
from analytics_worker.database.reader_sessions import ReaderSession, reader_session
from analytics_worker.errors import is_database_outage
from analytics_worker.text import one_line

RETRY_AFTER = timedelta(hours=1)
MAX_SCANNED_BYTES = 64 * 2**20
"""Size from which a relation needs an index on its event-time column."""
NO_EVENTS = "it has no events yet, or only future ones"
_REFUSED = {
    "v": "a view has what feeds it; declare a column of that",
    "f": "changes of a foreign table are not counted",
}


def measure(now: datetime | None = None) -> list[str]:
    """Measure what changed; return a line for each column of trust.yml that could not be measured.

    Columns that dbt declares for purposes of its own have their reason in ops.completeness alone.

    Raises:
        DefinitionError: trust.yml or calendar.yml is not valid.
    """
    at = now or datetime.now(UTC)
    declarations = [
        {"schema_name": each.schema, "relation_name": each.relation, "column_name": each.column}
        | {"timezone": each.timezone, "origin": each.origin}
        for each in load_watermarks()
    ]
    with warehouse() as connection:
        listed = json.dumps(declarations)
        role = reader_url().username
        rows = run(connection, "declared", declarations=listed, reader=role)
        names = [{k: row[k] for k in ("schema_name", "relation_name")} for row in rows]
        run(connection, "forget_undeclared", declared=json.dumps(names))
    return _measure_all(rows, at) if rows else []


def _measure_all(rows: Sequence[RowMapping], now: datetime) -> list[str]:
    holidays, problems = Holidays(load_working_days()), list[str]()
    with reader_session() as session:
        for row in rows:
            if row["must_wait"] or _is_current(row):
                reason = row["reason"] if row["complete_through"] is None else None
            else:
                reason = _measure_one(session, row, now, holidays)
            if reason and row["origin"] == FILE and reason != NO_EVENTS:
                problems.append(f"{row['schema_name']}.{row['relation_name']}: {reason}")
    return problems


def _is_current(row: RowMapping) -> bool:
    """Return whether nothing changed in this hour: a usually empty hour that passed counts as complete."""
    is_known = row["complete_through"] is not None and row["is_of_this_hour"]
    return is_known and row["modifications"] == row["measured_modifications"]


def _measure_one(
    session: ReaderSession, row: RowMapping, now: datetime, holidays: Container[date]
) -> str | None:
    """Measure one column; return why it could not be measured."""
    values: dict[str, Any] = {"latest_event": None, "complete_through": None, "retry_at": None}
    values |= {"counted_from": row["counted_from"], "reason": _obstacle(row), "missing": None}
    events = None
    try:
        if values["reason"] is None:
            events = read_events(session, row, now)
            values |= {"reason": NO_EVENTS} if events is None else {}
        with warehouse() as connection:
            if events:
                values |= _found(connection, row, events, now, holidays)
            _save(connection, row, values, now)
    except Exception as error:  # a value of the column may provoke any error
        if is_database_outage(error):
            raise
        values["reason"] = one_line(str(error))
        if "timeout" in str(error):
            values["retry_at"] = now + RETRY_AFTER
        with warehouse() as connection:
            _save(connection, row, values, now)
    return values["reason"] if values["complete_through"] is None else None


def _save(
    connection: Connection, row: RowMapping, values: Mapping[str, Any], now: datetime
) -> None:
    fixed = {name: row[name] for name in ("column_name", "origin", "modifications")}
    run(connection, "save_measurement", **_key(row), **fixed, **values, measured_at=now)


def _obstacle(row: RowMapping) -> str | None:
    """Return why the column can't be measured, and what to do about it."""
    return _relation_obstacle(row) or _column_obstacle(row)


def _relation_obstacle(row: RowMapping) -> str | None:
    column = f"{row['column_name']!r:.60}"
    if row["relkind"] is None:
        return f"there is no such relation; correct its name in {row['origin']}"
    if row["relkind"] in _REFUSED:
        return f"not measured: {_REFUSED[row['relkind']]}"
    if row["index_method"] is None and row["bytes"] > MAX_SCANNED_BYTES:
        size = row["bytes"] // 2**20
        return f"not measured: {size:,} MB without an index on {column}; create one (btree or brin)"
    return None


def _column_obstacle(row: RowMapping) -> str | None:
    column = f"{row['column_name']!r:.60}"
    if row["column_type"] is None:
        return f"it has no column {column}; declare the name of one in definitions/trust.yml"
    if row["column_type"] not in TYPES:
        return f"the column {column} is {row['column_type']}; expected a date or a timestamp"
    if row["column_type"] != TIMESTAMPTZ and row["timezone"] is None:
        return f"{column} has no time zone; add timezone to definitions/trust.yml"
    if not row["is_readable"]:
        return "the reader may not read it; run: analytics-worker migrate"
    return None


def _found(
    connection: Connection,
    row: RowMapping,
    events: Events,
    now: datetime,
    holidays: Container[date],
) -> dict[str, Any]:
    """Store the counted hours, and return through which instant the relation is complete."""
    found, counted_from = Completeness(events.latest), row["counted_from"]
    if events.counted:
        since = events.counted.since
        counted_from = min(counted_from, since) if counted_from else since
    if events.column.type != DATE and counted_from:
        hours = _hours(connection, row, events.counted)
        begin = max(counted_from, min(hours, default=events.latest))
        arrivals = Arrivals(hours, begin, ZoneInfo(events.column.timezone), holidays)
        found = complete_through(events.latest, now, arrivals)
    return {
        "latest_event": events.latest,
        "complete_through": found.through,
        "reason": found.reason,
        "missing": _missing(found),
        "counted_from": counted_from,
    }


def _missing(found: Completeness) -> str | None:
    """Return the missing rows of each hour as JSON; None if it is not known how many come."""
    if found.missing is None:
        return None
    return json.dumps([{"hour": str(hour), "rows": n} for hour, n in found.missing.items()])


def _hours(connection: Connection, row: RowMapping, counted: Counted | None) -> dict[datetime, int]:
    """Store what was counted; return the rows of all hours that are known."""
    if counted is None:
        rows = run(connection, "hours", **_key(row))
    else:
        hours, counts = list(counted.hours), list(counted.hours.values())
        rows = run(
            connection, "save_hours", **_key(row), since=counted.since, hours=hours, counts=counts
        )
    return {each["hour"].astimezone(UTC): each["rows"] for each in rows}


def _key(row: RowMapping) -> dict[str, str]:
    return {"schema_name": row["schema_name"], "relation_name": row["relation_name"]}
