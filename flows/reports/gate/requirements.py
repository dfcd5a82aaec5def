"""Find which requirements of a report (``requires``) are not met.

Reads nothing, writes nothing. What is not known does not meet a requirement. Names from dbt and from the warehouse are
shortened, because readers see the texts.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from analytics_worker.definitions.durations import format_duration
from analytics_worker.lineage.graph import Node
from analytics_worker.text import counted, value_line
from analytics_worker.trust.state import DbtTests, OpenIncident, TrustState
from flows.reports.definitions.model import PartRequires, Report
from flows.reports.runs.model import ReportRun

MAX_NAMES = 3
MAX_NAME = 80
TOLERANCE = timedelta(hours=1)
"""How much of the end of a period may lack events, at most: the last event is seldom at its very end."""

WORDS = {"tests": "tests", "fresh": "age", "complete": "completeness", "no_incident": "incidents"}
"""What is required, as titles name it."""


class Unmet(NamedTuple):
    """A requirement that is not met, and why, as a clause of a sentence."""

    requirement: str
    text: str


def unit_of(report: Report) -> Node:
    """Return the unit that a report is."""
    return Node("report", report.name)


def unmet_requirements(
    run: ReportRun, state: TrustState, now: datetime, requires: PartRequires | None = None
) -> list[Unmet]:
    """Return the requirements of a run, or of a part of it, that are not met."""
    requires = requires or run.report.requires or PartRequires()
    zone = ZoneInfo(run.report.timezone)
    texts = {
        "tests": _tests(state.tests) if requires.tests else "",
        "fresh": _age(state, requires.fresh, now, zone) if requires.fresh else "",
        "complete": _completeness(state, run, zone) if requires.complete else "",
        "no_incident": _incidents(state, requires, unit_of(run.report), zone),
    }
    return [Unmet(name, text) for name, text in texts.items() if text]


def _tests(tests: DbtTests) -> str:
    if tests.failed:
        return f"{counted(len(tests.failed), 'dbt test')} failed ({_names(tests.failed)})"
    if tests.ran_at is None:
        return "no dbt test of what it reads has run"
    if tests.untested:
        return f"no dbt test has run since dbt built {_names(tests.untested)}"
    return ""


def _age(state: TrustState, limit: timedelta, now: datetime, zone: ZoneInfo) -> str:
    known = state.complete_through or state.last_change
    if known is None:
        return "the age of its data is not known"
    if now - known <= limit:
        return ""
    verb = "is complete through" if state.complete_through else "last changed"
    return f"its data {verb} {instant(known, zone)}, more than {format_duration(limit)} ago"


def _completeness(state: TrustState, run: ReportRun, zone: ZoneInfo) -> str:
    through = state.complete_through
    if through is None:
        return "it is not known through which instant its data is complete"
    if through < run.end - min(TOLERANCE, (run.end - run.start) / 24):
        limited = (
            f" (limited by {value_line(state.limited_by, MAX_NAME)})" if state.limited_by else ""
        )
        return f"its data is complete only through {instant(through, zone)}{limited}"
    if state.is_partial:
        return "it is not known of all of its sources that they are complete"
    return ""


def _incidents(state: TrustState, requires: PartRequires, unit: Node, zone: ZoneInfo) -> str:
    """Describe the incidents; one of the report alone does not count, as only sending it could end it."""
    if requires.no_incident is None:
        return ""
    is_any = requires.no_incident == "warning"
    found = [
        each
        for each in state.incidents
        if (is_any or each.severity == "critical") and set(each.units) != {unit}
    ]
    return f"{counted(len(found), 'incident')} open ({_causes(found, zone)})" if found else ""


def _causes(incidents: Sequence[OpenIncident], zone: ZoneInfo) -> str:
    texts = [
        f"{value_line(each.cause.name, MAX_NAME)}, {each.severity} since {instant(each.since, zone)}"
        for each in incidents
    ]
    return _limited(texts, "; ")


def _names(names: Sequence[str]) -> str:
    return _limited([value_line(name, MAX_NAME) for name in names], ", ")


def _limited(texts: Sequence[str], separator: str) -> str:
    more = [f"{len(texts) - MAX_NAMES} more"] if len(texts) > MAX_NAMES else []
    return separator.join([*texts[:MAX_NAMES], *more])


def instant(at: datetime, zone: ZoneInfo) -> str:
    """Return an instant for readers."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}"
