"""Group the units that are not ok by the one that the others are a consequence of.

Pure functions. Only evidence joins: a unit is explained by another one if that is upstream of it in the
lineage and its problem is at least as severe. Two failures in the same minute that nothing connects stay two.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from analytics_worker.lineage.graph import Lineage, Node


class Severity(IntEnum):
    """How much a problem matters; a higher one is worse."""

    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True)
class Problem:
    """A unit that is not ok."""

    unit: Node
    severity: Severity
    since: datetime
    message: str = ""
    owner: str | None = None
    reader: str = ""
    """The reader of problems that found it."""
    run_id: str | None = None
    """The flow run in which it failed."""
    label: str = ""
    """What it is called in texts; empty: its name."""
    reached: tuple[Node, ...] = ()
    """The units that it affects, and those that they reach; empty: all that the unit reaches."""


@dataclass(frozen=True)
class Group:
    """The problems that have one cause."""

    cause: Node
    severity: Severity
    since: datetime
    units: frozenset[Node]


def group_by_cause(problems: Iterable[Problem], lineage: Lineage) -> list[Group]:
    """Return each problem in exactly one group, the groups by the start and name of their cause."""
    found = {problem.unit: problem for problem in problems}
    explanations = _explanations(found, lineage)
    causes = {unit for unit in found if _is_cause(unit, found, explanations)}
    members: dict[Node, list[Problem]] = {cause: [] for cause in causes}
    for unit, problem in found.items():
        candidates = {unit} if unit in causes else explanations[unit] & causes
        members[min(candidates, key=lambda each: _rank(found[each]))].append(problem)
    ordered = sorted(causes, key=lambda cause: (found[cause].since, cause))
    return [_group(found[cause], members[cause]) for cause in ordered]


def _explanations(found: Mapping[Node, Problem], lineage: Lineage) -> dict[Node, set[Node]]:
    explanations: dict[Node, set[Node]] = {unit: set() for unit in found}
    for unit, problem in found.items():
        for node in reached(unit, lineage):
            reader = found.get(node)
            if reader is not None and problem.severity >= reader.severity:
                explanations[node].add(unit)
    return explanations


def reached(start: Node, lineage: Lineage) -> set[Node]:
    """Return all that a unit reaches, without the order and the distances, which take longer."""
    found, waiting = {start}, [start]
    while waiting:
        new = lineage.readers.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found - {start}


def _is_cause(
    unit: Node, found: Mapping[Node, Problem], explanations: Mapping[Node, Collection[Node]]
) -> bool:
    """Return whether nothing explains the unit, or only units of a cycle that rank after it."""
    return all(
        unit in explanations[each] and _rank(found[unit]) < _rank(found[each])
        for each in explanations[unit]
    )


def _rank(problem: Problem) -> tuple[datetime, Node]:
    return problem.since, problem.unit


def _group(cause: Problem, members: Collection[Problem]) -> Group:
    severity = max(member.severity for member in members)
    return Group(cause.unit, severity, cause.since, frozenset(member.unit for member in members))
