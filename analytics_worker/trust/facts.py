"""Read what the worker knows of all relations, dbt tests and open incidents.

Reads the catalog, ops.completeness, the results of dbt, ops.incidents and the lineage, by five statements
independent of their number; writes nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, RowMapping

from analytics_worker.lineage.graph import Edges, Node
from analytics_worker.lineage.relations import relation
from analytics_worker.lineage.stored import stored_lineage
from analytics_worker.trust.statements import run

IncidentSeverity = Literal["critical", "warning"]


class RelationFacts(NamedTuple):
    """What is known of the data of a relation."""

    is_built: bool
    """Whether a refresh or dbt builds it, so that its age is that of its last build."""
    last_change: datetime | None
    built_at: datetime | None
    """Start of the last dbt run that built it."""
    complete_through: datetime | None
    is_partial: bool
    limited_by: str | None


class DataTest(NamedTuple):
    """The last result of a dbt test."""

    unique_id: str
    name: str
    is_failed: bool
    is_warned: bool
    ran_at: datetime
    is_of_data: bool
    """False for a unit test, whose result does not depend on the data."""
    tested: frozenset[Node]


class FailingUnit(NamedTuple):
    """A unit that fails in an open incident."""

    incident: UUID
    cause: Node
    opened_at: datetime
    unit: Node
    severity: IncidentSeverity


@dataclass(frozen=True)
class Facts:
    """What is known of everything, by which units are judged."""

    reads: Edges
    """What each unit reads."""
    relations: Mapping[Node, RelationFacts]
    tests: Mapping[Node, Sequence[DataTest]]
    """The tests of each relation."""
    failing: Sequence[FailingUnit]

    def made_from(self, unit: Node, reads: Collection[Node]) -> frozenset[Node]:
        """Return what the unit reads, directly and through others."""
        found, waiting = set(reads), list(reads)
        while waiting:
            new = set(self.reads.get(waiting.pop(), ())) - found
            found |= new
            waiting += new
        return frozenset(found - {unit})

    def tests_of(self, relations: Iterable[Node]) -> dict[str, DataTest]:
        """Return the tests of the relations by their ids."""
        return {each.unique_id: each for node in relations for each in self.tests.get(node, ())}

    def is_untested(self, node: Node) -> bool:
        """Return whether dbt has built a tested relation since its tests last ran."""
        ran = [each.ran_at for each in self.tests.get(node, ()) if each.is_of_data]
        known = self.relations.get(node)
        return bool(ran and known and known.built_at and known.built_at > max(ran))


def read_facts(connection: Connection) -> Facts:
    """Return what is known now."""
    return Facts(
        reads=stored_lineage(connection).reads,
        relations={
            relation(row["schema_name"], row["relation_name"]): _relation_facts(row)
            for row in run(connection, "relation_facts")
        },
        tests=_by_relation([_test(row) for row in run(connection, "test_results")]),
        failing=[_failing_unit(row) for row in run(connection, "failing_units")],
    )


def _relation_facts(row: RowMapping) -> RelationFacts:
    return RelationFacts(*(row[name] for name in RelationFacts._fields))


def _test(row: RowMapping) -> DataTest:
    fields = [row[name] for name in DataTest._fields[:-1]]
    return DataTest(*fields, tested=frozenset(relation(*map(str, each)) for each in row["tested"]))


def _by_relation(tests: Iterable[DataTest]) -> dict[Node, list[DataTest]]:
    found: defaultdict[Node, list[DataTest]] = defaultdict(list)
    for each in tests:
        for node in each.tested:
            found[node].append(each)
    return dict(found)


def _failing_unit(row: RowMapping) -> FailingUnit:
    return FailingUnit(
        incident=row["id"],
        cause=Node(row["cause_kind"], row["cause_name"]),
        opened_at=row["opened_at"],
        unit=Node(row["kind"], row["name"]),
        severity=row["severity"],
    )
