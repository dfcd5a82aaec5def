"""Find out whether data of a period is missing, so that its numbers would be too small.

Reads ops.completeness, the arrival patterns and ops.unit_reads; writes nothing. Without evidence that rows are
missing, a period is complete.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from analytics_worker.completeness.statements import run
from analytics_worker.lineage.unit_reads import ReaderKind

MEASURED_WITHIN = timedelta(minutes=15)
"""After the end of a period, how long it may take until the catalog has measured its sources."""
_INSTANT = timedelta(microseconds=1)


class UnitPeriod(NamedTuple):
    """The name of a unit, and the end of the period that it reads."""

    name: str
    end: datetime


def incomplete_relations(
    connection: Connection, relations: Iterable[str], period_end: datetime
) -> dict[str, datetime]:
    """Return since when each of the relations that lack data before the end of a period lacks it.

    Args:
        connection: To the warehouse.
        relations: Schema and name of each, joined by a dot, unquoted.
        period_end: The end of the period.
    """
    names = sorted(relations)
    rows = run(connection, "incomplete_relations", relations=names, period_end=period_end)
    return {row["relation"]: row["since"] for row in rows}


def incomplete_units(
    connection: Connection, kind: ReaderKind, periods: Mapping[int, UnitPeriod], now: datetime
) -> dict[int, datetime]:
    """Return since when data is missing of the periods of units, by their ids, as far as it is stored what they read.

    A period that has just ended, and was not measured since, lacks data.
    """
    units = [
        {"id": id_, "name": each.name, "period_end": each.end.isoformat()}
        for id_, each in periods.items()
    ]
    rows = run(
        connection,
        "incomplete_units",
        kind=kind,
        units=json.dumps(units),
        now=now,
        measured_within=MEASURED_WITHIN,
    )
    return {row["id"]: row["since"] for row in rows}


def incomplete_text(since: datetime, period_end: datetime, timezone: str) -> str:
    """Return until when the data of a period is there, for readers."""
    zone = ZoneInfo(timezone)
    local, last = since.astimezone(zone), (period_end - _INSTANT).astimezone(zone)
    at = f"{local:%H:%M}" if local.date() == last.date() else f"{local:%Y-%m-%d %H:%M}"
    return f"incomplete: data until {at}"


def incomplete_since_text(since: datetime, timezone: str) -> str:
    """Return until when the data of a period is there, for readers who do not see the period."""
    return f"incomplete: data until {since.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M %Z}"
