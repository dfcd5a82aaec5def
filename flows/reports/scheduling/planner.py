"""Which reports a schedule asks for: of its own period, of those that were missed, and what has to wait.

Reads the definitions, and in the histories of dbt and of the views whether the data is there; writes
runs. Safe to repeat: there is one run per report and period.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy import RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from flows.reports.definitions.model import After, Report
from flows.reports.runs.failures import give_up
from flows.reports.runs.requests import wanted
from flows.reports.runs.store import Ledger, ledger
from flows.reports.scheduling.periods import Period, ScheduleType, last_period, missed_periods

LOOK_AGAIN = timedelta(minutes=5)


@dataclass
class Plan:
    """What a schedule came to."""

    runs: list[int] = field(default_factory=list[int])
    waiting: dict[str, str] = field(default_factory=dict[str, str])
    """Reports whose data is not there yet, and what is missing."""
    look_again: list[datetime] = field(default_factory=list[datetime])
    late: list[int] = field(default_factory=list[int])
    """Runs that are not made, because their data did not come in time and their readers want no other."""
    broken: dict[str, str] = field(default_factory=dict[str, str])
    """Reports whose stored definition can't be used."""


def plan(schedule: ScheduleType, due: datetime) -> Plan:
    """Ask for everything that has to be made as of a time, oldest period first."""
    made = Plan()
    with ledger() as book:
        book.try_again(schedule)
        for row in book.definitions(schedule):
            try:
                report = Report.model_validate_json(row["definition"])
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"]))
                made.broken[row["name"]] = (
                    f"the stored definition is out of date, run `reports sync`"
                    f" ({where}: {first['msg']})"
                )
                continue
            _ask(book, made, report, row, schedule, due)
        made.runs = sorted({*made.runs, *book.unfinished()} - set(made.late))
    return made


def _ask(
    book: Ledger,
    made: Plan,
    report: Report,
    row: RowMapping,
    schedule: ScheduleType,
    due: datetime,
) -> None:
    """All periods of one report, until one has to wait: the next one would overtake it."""
    for period in _periods(report, row, schedule, due):
        missing = _missing(report.after, period) if report.after else []
        deadline = _deadline(report, report.after, period, due) if report.after else due
        if missing and datetime.now(UTC) < deadline:
            made.waiting[report.name] = f"{_sentence(missing)} (until {deadline:%H:%M} UTC)"
            made.look_again.append(min(datetime.now(UTC) + LOOK_AGAIN, deadline))
            return
        _ask_for(book, made, report, period, missing)


def _ask_for(
    book: Ledger, made: Plan, report: Report, period: Period, missing: Sequence[str]
) -> None:
    reason = f"The data may be old: {_sentence(missing)}." if missing else None
    (asked,) = book.ask([wanted(report, report.name, "scheduled", period, reason=reason)])
    made.runs.append(asked.id)
    if missing and report.after and report.after.otherwise == "tell" and asked.status == "pending":
        made.late.append(asked.id)
        give_up(book, book.read(asked.id), f"not made: {_sentence(missing)}", final=True)
    book.done_until(report.name, period.end)


def _periods(
    report: Report, row: RowMapping, schedule: ScheduleType, due: datetime
) -> list[Period]:
    missed = missed_periods(
        schedule, due, report.timezone, since=row["since"], most=report.catch_up
    )
    return [*missed, last_period(schedule, due, report.timezone)]


def _missing(after: After, period: Period) -> list[str]:
    """What the report waits for and has not happened since its period ended."""
    with warehouse() as connection:
        (row,) = run_sql(connection, "reports/freshness", since=period.end, views=after.views)
    missing = [f"no refresh of {view}" for view in row["stale_views"]]
    return [*(["no dbt run"] if after.dbt and not row["dbt"] else []), *missing]


def _sentence(missing: Sequence[str]) -> str:
    return f"there was {' and '.join(missing)} since the period ended"


def _deadline(report: Report, after: After, period: Period, due: datetime) -> datetime:
    """Until when it waits on the day it is due; a period that was missed waits no longer."""
    if period.before() != last_period(period.kind, due, report.timezone).before():
        return due
    local = due.astimezone(ZoneInfo(report.timezone))
    latest = local.replace(hour=after.latest.hour, minute=after.latest.minute, second=0)
    return latest.astimezone(UTC)
