"""List the held reports, and those that were sent without parts that are held.

Reads ops.report_runs; writes nothing.
"""

from datetime import datetime
from operator import itemgetter
from typing import Any, TypedDict

from pydantic import ValidationError
from sqlalchemy import RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.errors import PermanentError
from flows.reports.gate.hold_time import hold_until
from flows.reports.runs.model import run_from_row


class HeldReport(TypedDict):
    """A report that is held, or was sent without some of its parts."""

    run: int
    report: str
    key: str
    period: str
    since: datetime
    until: datetime | None
    """When it is sent unverified, or not at all; None if its definition or the calendar is not valid."""
    then: str
    """``sent unverified`` or ``not sent``; of one without some of its parts ``not sent again``."""
    because: list[str]


def held_reports() -> list[HeldReport]:
    """Return the held reports, the oldest first."""
    with warehouse() as connection:
        held = [_held_report(row) for row in run_sql(connection, "reports/held_runs")]
        parts = [_held_parts(row) for row in run_sql(connection, "reports/runs_with_held_parts")]
    return sorted([*held, *parts], key=itemgetter("run"))


def _held_report(row: RowMapping) -> HeldReport:
    until, then = _end(row)
    return HeldReport(
        **_named(row), since=row["held_since"], until=until, then=then, because=row["unmet"]
    )


def _held_parts(row: RowMapping) -> HeldReport:
    return HeldReport(
        **_named(row),
        since=row["finished_at"],
        until=row["parts_held_until"],
        then="not sent again",
        because=[
            f"{each.get('title')}: {', '.join(each.get('unmet', ()))}" for each in row["held_parts"]
        ],
    )


def _named(row: RowMapping) -> Any:
    return {"run": row["id"], **{name: row[name] for name in ("report", "key", "period")}}


def _end(row: RowMapping) -> tuple[datetime | None, str]:
    """Return until when a run is held, and what happens then."""
    try:
        run = run_from_row(row)
        has_latest = run.report.requires and run.report.requires.latest
        return hold_until(run), "sent unverified" if has_latest else "not sent"
    except (PermanentError, ValidationError):
        return None, ""
