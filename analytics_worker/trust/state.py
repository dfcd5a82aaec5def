"""Find whether a relation, report or rule can be trusted now: how complete, tested and free of incidents it is.

Reads what the worker has recorded; looks at no users' data, and writes nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from analytics_worker.lineage.graph import Node
from analytics_worker.trust.facts import (
    Facts,
    FailingUnit,
    IncidentSeverity,
    RelationFacts,
    read_facts,
)

Reads = Mapping[Node, Collection[Node]]


class DbtTests(NamedTuple):
    """The last results of the dbt tests of a unit and of all that it is made from."""

    passed: int
    """Number of tests that passed; those with a warning are not among them."""
    failed: tuple[str, ...]
    """Names of the tests that failed."""
    warned: tuple[str, ...]
    ran_at: datetime | None
    """Start of the last run of one of them; None if no test has run."""
    untested: tuple[str, ...]
    """Relations that dbt has built since their tests last ran."""


class OpenIncident(NamedTuple):
    """An open incident in which the unit fails, or something that it is made from, or a test of that."""

    id: UUID
    severity: IncidentSeverity
    """The highest severity of ``units``."""
    cause: Node
    since: datetime
    units: tuple[Node, ...]
    """What fails of the unit, what it is made from, and the tests of that."""


class TrustState(NamedTuple):
    """What is known of a unit: a relation, report or rule.

    What is complete through an instant, and what last changed, is what the unit reads directly; a relation
    is looked at itself.
    """

    complete_through: datetime | None
    """The instant before which all events are there; None if it is not known of anything."""
    is_partial: bool
    """Whether the instant is not known of all that feeds it."""
    limited_by: str | None
    """The relation with a declared column that has the earliest instant."""
    last_change: datetime | None
    """When the data last changed: of what is built, the oldest build; of tables, the last change."""
    tests: DbtTests
    incidents: tuple[OpenIncident, ...]
    """The oldest first."""


def trust_states(
    connection: Connection, units: Iterable[Node], reads: Reads | None = None
) -> dict[Node, TrustState]:
    """Return the state of each unit.

    Args:
        connection: To the warehouse.
        units: Relations, reports and rules.
        reads: What some of the units read, if more is known of it than is stored.
    """
    return states_by(read_facts(connection), units, reads)


def states_by(
    facts: Facts, units: Iterable[Node], reads: Reads | None = None
) -> dict[Node, TrustState]:
    """Return the state of each unit by facts that were read already; arguments as of `trust_states`."""
    return {unit: _state(facts, unit, reads or {}) for unit in units}


def _state(facts: Facts, unit: Node, reads: Reads) -> TrustState:
    read = reads.get(unit, facts.reads.get(unit, ()))
    scope = facts.made_from(unit, read) | {unit}
    shown = [unit] if unit.kind == "relation" else sorted(read)
    known = [facts.relations.get(each) for each in shown]
    through, is_partial, limited_by = _complete_through(known)
    return TrustState(
        complete_through=through,
        is_partial=is_partial,
        limited_by=limited_by,
        last_change=_last_change(known),
        tests=_tests(facts, scope),
        incidents=_incidents(facts, scope),
    )


def _complete_through(
    relations: Collection[RelationFacts | None],
) -> tuple[datetime | None, bool, str | None]:
    """Return the earliest instant, whether it is partial, and what limits it."""
    known = [(each.complete_through, each) for each in relations if each and each.complete_through]
    if not known:
        return None, False, None
    through, first = min(known, key=lambda pair: pair[0])
    is_partial = len(known) < len(relations) or any(each.is_partial for _, each in known)
    return through, is_partial, first.limited_by


def _last_change(relations: Collection[RelationFacts | None]) -> datetime | None:
    changed = [(each.is_built, each.last_change) for each in relations if each and each.last_change]
    built = [at for is_built, at in changed if is_built]
    others = [at for is_built, at in changed if not is_built]
    return min([*built, max(others)]) if others else min(built, default=None)


def _tests(facts: Facts, scope: Collection[Node]) -> DbtTests:
    tests = facts.tests_of(scope).values()
    failed = {each.name for each in tests if each.is_failed}
    warned = {each.name for each in tests if each.is_warned and not each.is_failed}
    return DbtTests(
        passed=sum(not (each.is_failed or each.is_warned) for each in tests),
        failed=tuple(sorted(failed)),
        warned=tuple(sorted(warned)),
        ran_at=max((each.ran_at for each in tests), default=None),
        untested=tuple(sorted(node.name for node in scope if facts.is_untested(node))),
    )


def _incidents(facts: Facts, scope: Collection[Node]) -> tuple[OpenIncident, ...]:
    parts = {*scope, *(Node("dbt", unique_id) for unique_id in facts.tests_of(scope))}
    found: dict[UUID, list[FailingUnit]] = {}
    for each in facts.failing:
        if each.unit in parts:
            found.setdefault(each.incident, []).append(each)
    return tuple(_incident(each) for each in found.values())


def _incident(failing: list[FailingUnit]) -> OpenIncident:
    first = failing[0]
    is_critical = any(each.severity == "critical" for each in failing)
    return OpenIncident(
        id=first.incident,
        severity="critical" if is_critical else "warning",
        cause=first.cause,
        since=first.opened_at,
        units=tuple(each.unit for each in failing),
    )
