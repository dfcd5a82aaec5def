"""Write what is known of data beside its numbers: complete through, tests, incidents.

Reads nothing, writes nothing. Names come from dbt projects and databases: each is one line here, and each page or
channel escapes it for its receiver.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from analytics_worker.lineage.graph import Node
from analytics_worker.text import counted, one_line, value_line
from analytics_worker.trust.state import DbtTests, OpenIncident, TrustState

MAX_NAME = 60
MAX_LISTED = 20
"""Failed tests and incidents that the JSON names."""


_DBT_ID = re.compile(r"(\w+)\.[^.]+\.(.+?)(?:\.[0-9a-f]{10})?", re.DOTALL)
"""Id of a dbt node: type, project, name, and of a test a hash."""


class Check(NamedTuple):
    """One thing that is known of data: of its tests, or of the incidents that concern it."""

    text: str
    is_bad: bool = False


def checks(state: TrustState | None) -> tuple[Check, ...]:
    """Return what is known of tests and incidents; nothing if nothing is known of the data."""
    if state is None:
        return ()
    tests = _tests(state.tests)
    if state.incidents:
        return (*tests, _incidents(state.incidents))
    is_known = bool(tests) or state.complete_through is not None
    return (*tests, Check("no incident")) if is_known else ()


def stamp_text(state: TrustState | None, timezone: str) -> str | None:
    """Return what is known in one line, ``Complete through … · 42 tests passed · no incident``; None if nothing is."""
    found = [each.text for each in checks(state)]
    if state and state.complete_through:
        age = instant_text(state.complete_through, timezone, is_partial=state.is_partial)
        found.insert(0, f"Complete through {age}")
    return " · ".join(found) or None


def instant_text(at: datetime, timezone: str, *, is_partial: bool = False) -> str:
    """Return an instant for readers, and whether it is not known of all sources."""
    text = f"{at.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M %Z}"
    return f"{text} (not known of all sources)" if is_partial else text


def trust_json(state: TrustState | None) -> dict[str, Any] | None:
    """Return what is known for programs; None if nothing is."""
    is_known = state and (state.complete_through or checks(state))
    return state_json(state) if state and is_known else None


def state_json(state: TrustState) -> dict[str, Any]:
    """Return a state for programs."""
    tests, through = state.tests, state.complete_through
    return {
        "complete_through": through.isoformat() if through else None,
        "is_partial": state.is_partial,
        "limited_by": state.limited_by,
        "tests_passed": tests.passed,
        "tests_failed": len(tests.failed),
        "tests_warned": len(tests.warned),
        "failed_tests": list(tests.failed[:MAX_LISTED]),
        "tests_ran_at": tests.ran_at.isoformat() if tests.ran_at else None,
        "incidents": [_incident_json(each) for each in state.incidents[:MAX_LISTED]],
    }


def without_own_failure(state: TrustState, unit: Node) -> TrustState:
    """Return what is known of the data alone: a rule or report that failed before says nothing of it."""
    others = [each for each in state.incidents if set(each.units) != {unit}]
    return state._replace(incidents=tuple(others))


def unit_label(unit: Node) -> str:
    """Return what a unit is called in one line: a relation by its name, another one with its kind."""
    if unit.kind == "dbt" and (parts := _DBT_ID.fullmatch(unit.name)):
        return f"dbt {parts[1]} {value_line(parts[2], MAX_NAME)}"
    name = value_line(unit.name, MAX_NAME)
    return name if unit.kind == "relation" else f"{unit.kind} {name}"


def worst_incident(incidents: Iterable[OpenIncident]) -> OpenIncident:
    """Return the most severe incident, the oldest of several."""
    return min(incidents, key=lambda each: (each.severity != "critical", each.since))


def _tests(tests: DbtTests) -> list[Check]:
    total = tests.passed + len(tests.failed) + len(tests.warned)
    if not total:
        return []
    when = " before the last build" if tests.untested else ""
    found = [Check(f"{counted(tests.passed, 'test')} passed{when}")] if tests.passed else []
    if tests.failed:
        first = value_line(tests.failed[0], MAX_NAME)
        names = f"{first} and others" if len(tests.failed) > 1 else first
        failed = Check(f"{len(tests.failed)} of {counted(total, 'test')} failed: {names}", True)
        found = [failed]
    if tests.warned:
        found.append(Check(f"{counted(len(tests.warned), 'test')} warned"))
    return found


def _incidents(incidents: tuple[OpenIncident, ...]) -> Check:
    worst = worst_incident(incidents)
    more = f" and {len(incidents) - 1} more" if len(incidents) > 1 else ""
    cause = unit_label(worst.cause)
    return Check(
        one_line(f"{worst.severity} incident: {cause}{more}"), worst.severity == "critical"
    )


def _incident_json(incident: OpenIncident) -> dict[str, Any]:
    return {
        "id": str(incident.id),
        "severity": incident.severity,
        "cause_kind": incident.cause.kind,
        "cause": incident.cause.name,
        "since": incident.since.isoformat(),
    }
