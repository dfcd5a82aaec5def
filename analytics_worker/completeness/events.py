"""Read the events of an event-time column: the latest one, and the rows of the hours since the last measurement.

Reads the column as the reader, with its limits; writes nothing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from psycopg2 import sql
from sqlalchemy import RowMapping

from analytics_worker.completeness.arrival_pattern import HOUR
from analytics_worker.completeness.event_time import DATE, EventTime
from analytics_worker.completeness.statements import with_names
from analytics_worker.database.reader_sessions import ReaderSession
from analytics_worker.errors import PermanentError

TIMEOUT = timedelta(seconds=2)
FIRST_DAYS = timedelta(days=60)
COUNTED_DAYS = timedelta(days=42)
RECOUNTED = timedelta(hours=3)
MAX_HOURS = 3000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Counted(NamedTuple):
    """The rows of each hour since an instant."""

    since: datetime
    hours: dict[datetime, int]


class Events(NamedTuple):
    """What the reader found in a column."""

    column: EventTime
    latest: datetime
    counted: Counted | None


def read_events(session: ReaderSession, row: RowMapping, now: datetime) -> Events | None:
    """Return the latest event, and the rows of the hours since the last measurement."""
    column = EventTime(
        row["schema_name"],
        row["relation_name"],
        row["column_name"],
        row["column_type"],
        row["timezone"] or "UTC",
    )
    latest = _latest(session, row, column, now)
    if latest is None:
        return None
    counted = None if column.type == DATE else _count(session, row, column, latest)
    return Events(column, latest, counted)


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
) -> Counted | None:
    """Count the rows of the hours since the last measurement, if the column allows it."""
    hour = latest.replace(minute=0, second=0, microsecond=0)
    before = row["latest_event"] if row["counted_from"] else None
    start = min(hour, before.replace(minute=0, second=0, microsecond=0)) if before else None
    since = max(start - RECOUNTED, hour - COUNTED_DAYS) if start else hour - COUNTED_DAYS
    try:
        counted = _fetch(session, "event_hours", column, since, hour + HOUR)
    except PermanentError:
        return None  # the latest event counts alone
    return Counted(since, {_EPOCH + int(each) * HOUR: int(rows) for each, rows in counted})
