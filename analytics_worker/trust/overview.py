"""Show what is known of all units that users look at, those with failures first.

Reads what `trust_states` reads, and the names of rules and reports; writes nothing.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, RowMapping

from analytics_worker.lineage.graph import Node
from analytics_worker.lineage.relations import relation, schema_and_name
from analytics_worker.text import counted, value_line
from analytics_worker.trust.stamp import unit_label, worst_incident
from analytics_worker.trust.state import DbtTests, TrustState, trust_states
from analytics_worker.trust.statements import run

_ORDER = ("relation", "report", "rule")


def read_units(connection: Connection) -> list[Node]:
    """Return the materialized views, dbt relations, sources, reports and rules."""
    return [_unit(row) for row in run(connection, "units")]


def read_overview(connection: Connection) -> dict[Node, TrustState]:
    """Return the state of each unit."""
    states = trust_states(connection, read_units(connection))
    return dict(sorted(states.items(), key=_place))


def overview_row(unit: Node, state: TrustState) -> dict[str, str]:
    """Return what is known of a unit as a row of a table."""
    return {
        "unit": unit_label(unit),
        "complete (UTC)": minute_text(state.complete_through),
        "limited by": value_line(limiting_source(unit, state) or ""),
        "tests": tests_text(state.tests),
        "incident": worst_incident(state.incidents).severity if state.incidents else "",
    }


def overview_total(states: Mapping[Node, TrustState]) -> str:
    """Return how many units there are, and how many of them have an incident or a failed test."""
    incidents = sum(bool(each.incidents) for each in states.values())
    failed = sum(bool(each.tests.failed) for each in states.values())
    parts = [counted(len(states), "unit"), f"{incidents} with an incident"]
    return ", ".join([*parts, f"{failed} with a failed test"])


def limiting_source(unit: Node, state: TrustState) -> str | None:
    """Return the source that limits how complete a unit is; None if that is the unit itself."""
    own = schema_and_name(unit.name) if unit.kind == "relation" else None
    return None if own and state.limited_by == ".".join(own) else state.limited_by


def tests_text(tests: DbtTests) -> str:
    """Return how many tests passed, or how many of them failed; nothing without tests."""
    total = tests.passed + len(tests.failed) + len(tests.warned)
    if tests.failed:
        return f"{len(tests.failed)} of {total} failed"
    if tests.warned:
        return f"{len(tests.warned)} of {total} warned"
    return f"{total} passed" if total else ""


def minute_text(at: datetime | None) -> str:
    """Return a minute in UTC; nothing for an unknown one."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else ""


def _unit(row: RowMapping) -> Node:
    if row["kind"] == "relation":
        return relation(row["schema_name"], row["relation_name"])
    return Node(row["kind"], row["name"])


def _place(item: tuple[Node, TrustState]) -> tuple[int, int, str]:
    unit, state = item
    return _urgency(state), _ORDER.index(unit.kind), unit.name


def _urgency(state: TrustState) -> int:
    """Return 0 for a critical incident, 1 for failed tests, 2 for a warning, 3 for nothing that fails."""
    if any(each.severity == "critical" for each in state.incidents):
        return 0
    if state.tests.failed:
        return 1
    return 2 if state.incidents or state.tests.warned else 3
