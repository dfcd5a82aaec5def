"""Describe what a promise waits for, and how long that usually takes.

Pure functions. Names and errors come from data: each is one line, shortened.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping

from analytics_worker.text import value_line
from flows.monitoring.promises.estimate import Step

DBT_COMMANDS: Mapping[str, str] = {
    "run-dbt-models/dbt": "dbt run",
    "dbt-build/dbt": "dbt build",
}
"""The command of each deployment that builds models."""
MAX_DETAIL = 120
_REASONS: Mapping[str, str] = {
    "refresh": "waits for its refresh",
    "change": "its data has not changed",
    "run": "its run has not begun",
    "generation": "it is being generated",
}


class DbtRuns(NamedTuple):
    """When the dbt runs that are in progress began, by deployment, and how long each command usually takes."""

    began_at: Mapping[str, datetime]
    usual: Mapping[str, timedelta]


def step_of(row: RowMapping, dbt: DbtRuns) -> Step:
    """Return how long what it waits for usually takes, and when it began."""
    if row["waits_for"] == "dbt":
        deployment = _running(dbt)
        usual = dbt.usual.get(DBT_COMMANDS[deployment or "run-dbt-models/dbt"])
        return Step(usual, dbt.began_at.get(deployment or ""), is_dbt=True)
    seconds = row["usual_seconds"]
    return Step(timedelta(seconds=seconds) if seconds is not None else None, row["began_at"])


def waiting_text(row: RowMapping, step: Step, dbt: DbtRuns, timezone: ZoneInfo) -> str:
    """Return what it waits for as part of a sentence."""
    detail = value_line(row["detail"], MAX_DETAIL)
    match row["waits_for"]:
        case "source":
            through = row["through"]
            known = f", complete through {_local(through, timezone)}" if through else ""
            return f"waits for data of {detail}{known}"
        case "dbt":
            deployment = _running(dbt)
            name = f"dbt {deployment.partition('/')[0]}" if deployment else "dbt"
            return f"waits for {name}{_progress(step, timezone)}"
        case "failure":
            return f"its last run failed: {detail}"
        case "requirements":
            return f"it is held: {detail}"
        case "delivery":
            return "its delivery has not ended" + (f": {detail}" if detail else "")
        case reason:
            return _REASONS[reason] + _progress(step, timezone)


def _running(dbt: DbtRuns) -> str | None:
    """Return the deployment of the dbt run that began first."""
    return min(dbt.began_at, key=lambda each: dbt.began_at[each], default=None)


def _progress(step: Step, timezone: ZoneInfo) -> str:
    if step.usual is None:
        return ""
    minutes = max(round(step.usual.total_seconds() / 60), 1)
    begun = (
        f"began at {step.began_at.astimezone(timezone):%H:%M}" if step.began_at else "has not begun"
    )
    return f", which usually takes {minutes} min and {begun}"


def _local(at: datetime, timezone: ZoneInfo) -> str:
    return f"{at.astimezone(timezone):%Y-%m-%d %H:%M %Z}"
