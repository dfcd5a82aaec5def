"""Measure the declared event-time columns whose relation changed.

Reads the columns as the reader, with its limits; writes ops.event_time_measurements, ops.event_hours and
ops.completeness_history. A relation that can't be measured has a reason of its own, and stops no other.
"""

import json
from collections.abc import Container, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg2 import sql
from sqlalchemy import RowMapping

from analytics_worker.calendars.working_days import load_working_days
from analytics_worker.completeness.arrival_pattern import (
    HOUR,
    Arrivals,
    Completeness,
    Holidays,
    complete_through,
)
from analytics_worker.completeness.event_time import DATE, TIMESTAMPTZ, TYPES, EventTime
from analytics_worker.completeness.statements import run, with_names
from analytics_worker.completeness.trust_file import FILE, load_watermarks
from analytics_worker.database.connections import reader_url, warehouse
from analytics_worker.database.reader_sessions import ReaderSession, reader_session
from analytics_worker.errors import PermanentError, is_database_outage
from analytics_worker.text import one_line

TIMEOUT = timedelta(seconds=2)
RETRY_AFTER = timedelta(hours=1)
MAX_SCANNED_BYTES = 64 * 2**20
"""Size from which a relation needs an index on its event-time column."""
FIRST_DAYS = timedelta(days=60)
COUNTED_DAYS = timedelta(days=42)
RECOUNTED = timedelta(hours=3)
MAX_HOURS = 3000
NO_EVENTS = "it has no events yet, or only future ones"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
    values |= {"counted_from": row["counted_from"], "reason": _obstacle(row)}
    try:
        if values["reason"] is None:
            values |= _measured(session, row, now, holidays)
    except Exception as error:  # a value of the column may provoke any error
        if is_database_outage(error):
            raise
        values["reason"] = one_line(str(error))
        if "timeout" in str(error):
            values["retry_at"] = now + RETRY_AFTER
    with warehouse() as connection:
        run(
            connection,
            "save_measurement",
            **_key(row),
            **values,
            measured_at=now,
            column_name=row["column_name"],
            origin=row["origin"],
            modifications=row["modifications"],
        )
    return values["reason"] if values["complete_through"] is None else None


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


def _measured(
    session: ReaderSession, row: RowMapping, now: datetime, holidays: Container[date]
) -> dict[str, Any]:
    column = EventTime(
        row["schema_name"],
        row["relation_name"],
        row["column_name"],
        row["column_type"],
        row["timezone"] or "UTC",
    )
    latest = _latest(session, row, column, now)
    if latest is None:
        return {"reason": NO_EVENTS}
    found, counted_from = Completeness(latest), row["counted_from"]
    if column.type != DATE:
        since = _count(session, row, column, latest)
        counted_from = min(filter(None, (counted_from, since)), default=None)
        found = _by_pattern(row, column, latest, now, counted_from, holidays)
    return {
        "latest_event": latest,
        "complete_through": found.through,
        "reason": found.reason,
        "counted_from": counted_from,
    }


def _latest(
    session: ReaderSession, row: RowMapping, column: EventTime, now: datetime
) -> datetime | None:
    """Return the latest event; with a block range index, only the recent ones are looked at."""
    recent = row["latest_event"] or now - FIRST_DAYS
    since = recent - HOUR if row["index_method"] == "brin" else _EPOCH
    found = _fetch(session, "latest_event", column, since, now)
    latest = _EPOCH + timedelta(microseconds=int(found[0][0])) if found else None
    return min(latest, now) if latest else None


def _fetch(
    session: ReaderSession, name: str, column: EventTime, since: datetime, until: datetime
) -> Sequence[Sequence[Any]]:
    parts: dict[str, sql.Composable] = column.parts(since, until)
    statement = with_names(name, session.connect(), **parts)
    return session.fetch(statement, timeout=TIMEOUT, row_cap=MAX_HOURS).rows


def _count(
    session: ReaderSession, row: RowMapping, column: EventTime, latest: datetime
) -> datetime | None:
    """Count the rows of the hours since the last measurement; return the first hour, if it could."""
    hour = latest.replace(minute=0, second=0, microsecond=0)
    before = row["latest_event"] if row["counted_from"] else None
    start = min(hour, before.replace(minute=0, second=0, microsecond=0)) if before else None
    since = max(start - RECOUNTED, hour - COUNTED_DAYS) if start else hour - COUNTED_DAYS
    try:
        counted = _fetch(session, "event_hours", column, since, hour + HOUR)
    except PermanentError:
        return None  # the latest event counts alone
    hours = {_EPOCH + int(each) * HOUR: int(rows) for each, rows in counted}
    with warehouse() as connection:
        run(
            connection,
            "save_hours",
            **_key(row),
            since=since,
            hours=list(hours),
            counts=list(hours.values()),
        )
    return since


def _by_pattern(
    row: RowMapping,
    column: EventTime,
    latest: datetime,
    now: datetime,
    counted_from: datetime | None,
    holidays: Container[date],
) -> Completeness:
    if counted_from is None:
        return Completeness(latest)
    with warehouse() as connection:
        rows = run(connection, "hours", **_key(row))
    hours = {each["hour"].astimezone(UTC): each["rows"] for each in rows}
    since = max(counted_from, min(hours, default=latest))
    arrivals = Arrivals(hours, since, ZoneInfo(column.timezone), holidays)
    return complete_through(latest, now, arrivals)


def _key(row: RowMapping) -> dict[str, str]:
    return {"schema_name": row["schema_name"], "relation_name": row["relation_name"]}
