"""``analytics-worker trust``: show how complete, tested and free of incidents views, reports and rules are.

Reads what the worker has recorded in schema ops and the catalog of the warehouse; writes nothing.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from analytics_worker.cli.output import echo, echo_json, print_table
from analytics_worker.database.connections import warehouse
from analytics_worker.lineage.graph import Node
from analytics_worker.text import counted, value_line
from analytics_worker.trust.explanation import (
    Explanation,
    FailedTest,
    Input,
    UnitKind,
    explain,
)
from analytics_worker.trust.overview import (
    limiting_source,
    minute_text,
    overview_row,
    overview_total,
    read_overview,
)
from analytics_worker.trust.stamp import state_json, unit_label
from analytics_worker.trust.state import OpenIncident, TrustState

MAX_LISTED, MIN_WIDTH = 10, 23
FOLDED = {"unit", "limited by"}
"""Columns of names, which may take several lines."""


def trust(
    name: Annotated[
        str | None, typer.Argument(help="A relation, report or rule; without it, all of them.")
    ] = None,
    kind: Annotated[
        UnitKind | None, typer.Option(help="Which of several things with that name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show through when data is complete, its tests and incidents; of NAME, also why."""
    with warehouse() as connection:
        if name is None:
            _show_all(read_overview(connection), as_json=as_json)
        else:
            _show_one(explain(connection, name, kind), as_json=as_json)


def _show_all(states: Mapping[Node, TrustState], *, as_json: bool) -> None:
    if as_json:
        units = [_unit_json(unit) | state_json(state) for unit, state in states.items()]
        echo_json({"units": units})
        return
    if states:
        print_table(_table(states))
    echo(overview_total(states))


def _table(states: Mapping[Node, TrustState]) -> Table:
    rows = [overview_row(unit, state) for unit, state in states.items()]
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    table = Table(box=None, pad_edge=False)
    for name in names:
        width = MIN_WIDTH if name == "unit" else None
        table.add_column(name, overflow="fold", no_wrap=name not in FOLDED, min_width=width)
    for row in rows:
        table.add_row(*(escape(row[name]) for name in names))
    return table


def _show_one(found: Explanation, *, as_json: bool) -> None:
    if as_json:
        echo_json(_document(found))
        return
    for line in _lines(found):
        echo(line)


def _lines(found: Explanation) -> list[str]:
    return [
        f"{value_line(found.unit.name)} ({found.description})",
        f"Complete through: {_completeness(found)}",
        *_listed([_input_line(each) for each in found.inputs]),
        f"Tests: {_tests(found.state)}",
        *_listed([_test_line(each) for each in found.failed_tests]),
        f"Incidents: {len(found.state.incidents) or 'none'}",
        *_listed([_incident_line(each) for each in found.state.incidents]),
    ]


def _listed(lines: list[str]) -> list[str]:
    more = len(lines) - MAX_LISTED
    return [*lines[:MAX_LISTED], *([f"  and {more} more"] if more > 0 else [])]


def _completeness(found: Explanation) -> str:
    state = found.state
    if state.complete_through is None:
        changed = state.last_change
        note = f"; its data last changed {minute_text(changed)} UTC" if changed else ""
        return f"unknown: no event-time column is declared for what it is made from, or none is measured yet{note}"
    limit = limiting_source(found.unit, state)
    partial = " (not known of all sources)" if state.is_partial else ""
    limited = f", limited by {value_line(limit)}" if limit else ""
    return f"{minute_text(state.complete_through)} UTC{partial}{limited}"


def _input_line(each: Input) -> str:
    reason = f": {value_line(each.reason)}" if each.reason else ""
    at = minute_text(each.complete_through) or "unknown"
    return f"  {at:<16}  {value_line(each.relation.name)}{reason}"


def _tests(state: TrustState) -> str:
    tests = state.tests
    if tests.ran_at is None:
        return "none"
    counts = f"{tests.passed} passed, {len(tests.failed)} failed, {len(tests.warned)} warned"
    built = counted(len(tests.untested), "relation")
    since = f"; {built} built since" if tests.untested else ""
    return f"{counts}, last run {minute_text(tests.ran_at)} UTC{since}"


def _test_line(test: FailedTest) -> str:
    result = "failed" if test.is_failed else "warned"
    message = f": {value_line(test.message)}" if test.message else ""
    return f"  {result}  {value_line(test.name)}{message}"


def _incident_line(incident: OpenIncident) -> str:
    since = f"since {minute_text(incident.since)} UTC"
    return (
        f"  {incident.severity:<8}  {str(incident.id)[:8]}  {since}  {unit_label(incident.cause)}"
    )


def _document(found: Explanation) -> dict[str, Any]:
    return {
        **_unit_json(found.unit),
        "description": found.description,
        **state_json(found.state),
        "inputs": [
            {
                "relation": each.relation.name,
                "complete_through": each.complete_through and each.complete_through.isoformat(),
                "reason": each.reason,
            }
            for each in found.inputs
        ],
        "test_results": [
            {"name": each.name, "is_failed": each.is_failed, "message": each.message}
            for each in found.failed_tests
        ],
    }


def _unit_json(unit: Node) -> dict[str, Any]:
    return {"kind": unit.kind, "name": unit.name}
