"""Explain what is known of one unit: what limits its completeness, which tests failed, which incidents are open.

Reads what the worker has recorded; looks at no users' data, and writes nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from analytics_worker.lineage.graph import Lineage, Node
from analytics_worker.lineage.relations import relation
from analytics_worker.lineage.search import find
from analytics_worker.lineage.stored import stored_lineage
from analytics_worker.trust.overview import limiting_source, read_units
from analytics_worker.trust.state import TrustState, trust_states
from analytics_worker.trust.statements import run

UnitKind = Literal["relation", "rule", "report"]


class Input(NamedTuple):
    """A source that a unit is made from, or the unit itself."""

    relation: Node
    complete_through: datetime | None
    reason: str | None
    """Why it is not measured, or what ends its completeness."""


class FailedTest(NamedTuple):
    """A dbt test that failed or warned."""

    name: str
    message: str
    is_failed: bool
    ran_at: datetime | None


class Explanation(NamedTuple):
    """What is known of a unit, and why."""

    unit: Node
    description: str
    state: TrustState
    inputs: list[Input]
    """The least complete first; of other relations only those that can't be measured."""
    failed_tests: list[FailedTest]


def explain(connection: Connection, name: str, kind: UnitKind | None = None) -> Explanation:
    """Return what is known of the unit of a name.

    Raises:
        UnknownNameError: nothing has the name, or several things have it.
    """
    lineage = _lineage(connection)
    unit = find(lineage, name, kind)
    made_from = [step.node for step in lineage.upstream(unit)]
    states = trust_states(connection, [unit, *made_from])
    return Explanation(
        unit=unit,
        description=lineage.descriptions.get(unit, unit.kind),
        state=states[unit],
        inputs=_inputs(states, _reasons(connection)),
        failed_tests=_failed_tests(connection, states[unit]),
    )


def _lineage(connection: Connection) -> Lineage:
    lineage = stored_lineage(connection)
    for unit in read_units(connection):
        lineage.descriptions.setdefault(unit, unit.kind)
    return lineage


def _reasons(connection: Connection) -> dict[Node, str]:
    return {
        relation(row["schema_name"], row["relation_name"]): row["reason"]
        for row in run(connection, "incomplete_reasons")
    }


def _inputs(states: Mapping[Node, TrustState], reasons: Mapping[Node, str]) -> list[Input]:
    found = [
        Input(unit, state.complete_through, reasons.get(unit))
        for unit, state in states.items()
        if unit.kind == "relation" and (unit in reasons or _is_source(unit, state))
    ]
    return sorted(found, key=_place)


def _is_source(unit: Node, state: TrustState) -> bool:
    """Return whether the completeness of a relation is measured, and not that of what it is made from."""
    return state.complete_through is not None and limiting_source(unit, state) is None


def _place(each: Input) -> tuple[bool, float, str]:
    through = each.complete_through
    return through is not None, through.timestamp() if through else 0, each.relation.name


def _failed_tests(connection: Connection, state: TrustState) -> list[FailedTest]:
    names: Iterable[str] = (*state.tests.failed, *state.tests.warned)
    rows = run(connection, "failed_tests", names=list(names))
    found = [FailedTest(*(row[name] for name in FailedTest._fields)) for row in rows]
    return sorted(found, key=lambda each: (not each.is_failed, each.name))
