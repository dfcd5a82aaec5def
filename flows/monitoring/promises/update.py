"""Bring ops.promises in step: which days arrived, and which are expected too late or broken.

Reads the completeness of relations, the runs and deliveries of reports, and the histories of dbt and of
refreshes; writes ops.promises and ops.promise_days. One process does it at a time. Safe to repeat: a day has one
row, and its arrival is stored once. An error of one promise leaves it as it was.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from prefect.client.orchestration import SyncPrefectClient
from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.definitions.yaml_definitions import DefinitionError
from analytics_worker.errors import is_database_outage
from analytics_worker.text import one_line
from flows.monitoring.promises.days import PromisedDay, promised_days
from flows.monitoring.promises.estimate import Usual, expected_at
from flows.monitoring.promises.estimates import estimate_days, usual_of
from flows.monitoring.promises.looks import LONGEST, look_at, save_look
from flows.monitoring.promises.state import Arrived, Awaited, PromiseState, promise_state
from flows.monitoring.promises.units import PromisedUnit, PromisedUnits, promised_units
from flows.monitoring.promises.waiting import DBT_COMMANDS, DbtRuns, step_of, waiting_text
from flows.monitoring.runs.active_runs import runs_in_progress

RunsInProgress = Callable[[], Mapping[str, datetime]]
"""Returns when the runs in progress began, by deployment."""
NO_DBT_RUNS = DbtRuns({}, {})


@dataclass
class _Facts:
    """What is known of the days that have not arrived."""

    found: dict[tuple[str, date], RowMapping] = field(default_factory=dict)
    dbt: DbtRuns = NO_DBT_RUNS


def refresh_promises(client: SyncPrefectClient, now: datetime) -> list[str]:
    """Update all promises in a transaction of its own; return a line for each problem."""
    try:
        with warehouse() as connection:
            return update_promises(connection, now, partial(runs_in_progress, client))
    except SQLAlchemyError as error:
        if is_database_outage(error):
            raise
        return [f"promises: {one_line(str(getattr(error, 'orig', None) or error))}"]


def update_promises(connection: Connection, now: datetime, read_runs: RunsInProgress) -> list[str]:
    """Update all promises, if one can have changed; return a line for each that could not be read or judged."""
    run_sql(connection, "monitoring/lock_promises")
    look = look_at(connection, now)
    if not look.is_due:
        return []
    promised = promised_units(connection)
    run_sql(
        connection,
        "monitoring/sync_promises",
        promises=json.dumps([unit.row() for unit in promised.units]),
        unread_kinds=promised.unread_kinds,
        unread_names=promised.unread_names,
        now=now,
    )
    next_at = _update(connection, promised, now, read_runs) if promised.units else now + LONGEST
    save_look(connection, look, now, now if promised.problems else next_at)
    return promised.problems


def _update(
    connection: Connection, promised: PromisedUnits, now: datetime, read_runs: RunsInProgress
) -> datetime:
    """Update all promises; return when the next look is due."""
    stored = {row["name"]: row for row in run_sql(connection, "monitoring/load_promises")}
    later = _add_days(connection, promised, stored, now)
    estimate_days(connection, promised, now)
    days = _current_days(connection, now)
    facts = _facts(connection, days, now, read_runs)
    states = list[PromiseState]()
    for unit in promised.units:
        try:
            states.append(_state(unit, stored[unit.name], days[unit.name], facts, now))
        except Exception as error:  # noqa: BLE001  # any error is the promise's own
            promised.problems.append(f"{unit.name}: {one_line(str(error))}")
    arrivals = [
        {"name": name, "day": str(day), "arrived_at": str(row["arrived_at"])}
        for (name, day), row in facts.found.items()
        if row["arrived_at"]
    ]
    rows = json.dumps([each.row() for each in states])
    run_sql(
        connection, "monitoring/save_promises", arrivals=json.dumps(arrivals), states=rows, now=now
    )
    rows_of_units = (row for unit in promised.units for row in days[unit.name])
    if any(_is_awaited(row, facts) for row in rows_of_units):
        return now
    return min([now + LONGEST, *(day.opens_at for day in later)])


def _is_awaited(row: RowMapping, facts: _Facts) -> bool:
    found = facts.found.get((row["name"], row["day"]))
    return not (row["arrived_at"] or (found and found["arrived_at"]))


def _add_days(
    connection: Connection, promised: PromisedUnits, stored: Mapping[str, RowMapping], now: datetime
) -> list[PromisedDay]:
    """Add the days that have begun; return the others."""
    days = list[PromisedDay]()
    for unit in promised.units:
        try:
            days += promised_days(unit, stored[unit.name]["since"], now)
        except DefinitionError as error:
            promised.problems.append(f"{unit.name}: {one_line(str(error))}")
    begun = [each for each in days if each.opens_at <= now]
    rows = json.dumps([each.row() for each in begun])
    run_sql(connection, "monitoring/add_promise_days", days=rows, now=now)
    return [each for each in days if each.opens_at > now]


def _current_days(connection: Connection, now: datetime) -> Mapping[str, list[RowMapping]]:
    days: defaultdict[str, list[RowMapping]] = defaultdict(list)
    for row in run_sql(connection, "monitoring/current_promise_days", now=now):
        days[row["name"]].append(row)
    return days


def _facts(
    connection: Connection,
    days: Mapping[str, Sequence[RowMapping]],
    now: datetime,
    read_runs: RunsInProgress,
) -> _Facts:
    if all(row["arrived_at"] for rows in days.values() for row in rows):
        return _Facts()
    rows = [
        *run_sql(connection, "monitoring/promise_relations", now=now),
        *run_sql(connection, "monitoring/promise_reports", now=now),
    ]
    waits_for_dbt = any(row["waits_for"] == "dbt" and not row["arrived_at"] for row in rows)
    return _Facts(
        {(row["name"], row["day"]): row for row in rows},
        _dbt_runs(connection, read_runs) if waits_for_dbt else NO_DBT_RUNS,
    )


def _dbt_runs(connection: Connection, read_runs: RunsInProgress) -> DbtRuns:
    usual = {
        row["command"]: timedelta(seconds=row["seconds"])
        for row in run_sql(connection, "monitoring/usual_dbt_runs")
    }
    began = {name: at for name, at in read_runs().items() if name in DBT_COMMANDS}
    return DbtRuns(began, usual)


def _state(
    unit: PromisedUnit,
    stored: RowMapping,
    days: Sequence[RowMapping],
    facts: _Facts,
    now: datetime,
) -> PromiseState:
    zone = ZoneInfo(unit.promise.timezone or unit.timezone)
    last, awaited = None, list[Awaited]()
    for row in days:
        day = PromisedDay(*(row[name] for name in PromisedDay._fields))
        found = facts.found.get((day.name, day.day))
        arrived_at = row["arrived_at"] or (found["arrived_at"] if found else None)
        if arrived_at:
            last, awaited = Arrived(day, arrived_at), []
        elif found:
            awaited.append(_awaited(day, usual_of(row), found, facts.dbt, now, zone))
    before = PromiseState(**{name: stored[name] for name in PromiseState.__dataclass_fields__})
    return promise_state(before, last, awaited, now, zone)


def _awaited(
    day: PromisedDay,
    usual: Usual | None,
    found: RowMapping,
    dbt: DbtRuns,
    now: datetime,
    zone: ZoneInfo,
) -> Awaited:
    step = step_of(found, dbt)
    reason = waiting_text(found, step, dbt, zone)
    expected = expected_at(day, usual, step, now, zone) if usual else None
    return Awaited(day, expected, reason)
