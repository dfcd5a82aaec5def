"""Store when each day that begins is usually there, once, from the days before.

Reads ops.promise_days, ops.dbt_runs and definitions/calendar.yml; writes the estimates of the days.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping

from analytics_worker.calendars.working_days import WorkingDays, load_working_days
from analytics_worker.database.connections import run_sql
from analytics_worker.definitions.yaml_definitions import DefinitionError
from analytics_worker.text import one_line
from flows.monitoring.promises.estimate import Arrival, Usual, usual_arrival
from flows.monitoring.promises.units import PromisedUnits

NO_CALENDAR = WorkingDays()


def estimate_days(connection: Connection, promised: PromisedUnits, now: datetime) -> None:
    """Look at the earlier days of each day that began."""
    zones = {unit.name: unit.promise.timezone or unit.timezone for unit in promised.units}
    rows = run_sql(connection, "monitoring/days_to_estimate", now=now)
    days = [row for row in rows if row["name"] in zones]
    if not days:
        return
    history = _history(connection, [row["name"] for row in days], now)
    calendar = _calendar(promised)
    estimates = [
        _estimate_row(row, _usual(row, history, ZoneInfo(zones[row["name"]]), calendar))
        for row in days
    ]
    run_sql(connection, "monitoring/save_estimates", estimates=json.dumps(estimates))


def usual_of(row: RowMapping) -> Usual | None:
    """Return the stored estimate of a day; None if the earlier days were too few."""
    if row["usual_offset"] is None:
        return None
    return Usual(row["usual_offset"], row["usual_spread"], row["usual_after_dbt"])


def _history(
    connection: Connection, names: Sequence[str], now: datetime
) -> Mapping[str, list[Arrival]]:
    history: defaultdict[str, list[Arrival]] = defaultdict(list)
    for row in run_sql(connection, "monitoring/promise_history", names=names, now=now):
        arrival = Arrival(row["day"], row["opens_at"], row["arrived_at"], row["built_at"])
        history[row["name"]].append(arrival)
    return history


def _usual(
    row: RowMapping,
    history: Mapping[str, Sequence[Arrival]],
    timezone: ZoneInfo,
    calendar: WorkingDays,
) -> Usual | None:
    earlier = [each for each in history.get(row["name"], ()) if each.day < row["day"]]
    return usual_arrival(earlier, row["day"], timezone, calendar)


def _calendar(promised: PromisedUnits) -> WorkingDays:
    try:
        return load_working_days()
    except DefinitionError as error:
        promised.problems.append(one_line(str(error)))
        return NO_CALENDAR


def _estimate_row(row: RowMapping, usual: Usual | None) -> dict[str, str | None]:
    names = ("usual_offset", "usual_spread", "usual_after_dbt")
    values = map(_interval, usual) if usual else (None, None, None)
    return {"name": row["name"], "day": str(row["day"]), **dict(zip(names, values, strict=True))}


def _interval(duration: timedelta) -> str:
    return f"{duration.total_seconds()} seconds"
