"""Read the units that are not ok from the tables of all domains.

Each kind of problem has a reader, a statement of its own. One that fails keeps the problems that it found
before: nothing is resolved because it could not be looked at.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.database.connections import run_sql
from analytics_worker.errors import is_database_outage
from analytics_worker.lineage.graph import Node
from analytics_worker.lineage.relations import relation
from analytics_worker.text import one_line
from flows.monitoring.incidents.causes import Problem, Severity

READERS = (
    "deployments",
    "dbt",
    "views",
    "sources",
    "rules",
    "reports",
    "promises",
    "missing",
    "drift",
    "contracts",
)
MAX_MESSAGE = 500

Problems = Mapping[Node, Sequence[Problem]]


class ProblemsRead(NamedTuple):
    """The problems of each unit, and why some readers failed."""

    problems: dict[Node, list[Problem]]
    errors: dict[str, str]


def read_problems(connection: Connection, before: Problems, now: datetime) -> ProblemsRead:
    """Return the problems of now; those of a reader that fails are those of before."""
    known = {(each.unit, each.reader): each for group in before.values() for each in group}
    found, errors = list[Problem](), dict[str, str]()
    for reader in READERS:
        try:
            rows = _rows(connection, reader)
        except (SQLAlchemyError, ValueError) as error:
            if is_database_outage(error):
                raise
            errors[reader] = one_line(str(getattr(error, "orig", None) or error))
            found += [each for each in known.values() if each.reader == reader]
            continue
        failing = {each.unit for each in found}
        for row in rows:
            problem = _problem(reader, row, known, now)
            is_new = (problem.unit, reader) not in known
            if _counts(row, failing) and not (is_new and row.get("is_silenced")):
                found.append(problem)
    return ProblemsRead(_by_unit(found), errors)


def _rows(connection: Connection, reader: str) -> Sequence[RowMapping]:
    with connection.begin_nested():
        return run_sql(connection, f"monitoring/problems_{reader}")


def _counts(row: RowMapping, failing: Collection[Node]) -> bool:
    """Return whether a missing relation is no gap between two builds: the catalog or a reader noticed, or its new name."""
    if "readers" not in row:
        return True
    return row["is_certain"] or any(Node(*each) in failing for each in row["readers"])


def _problem(
    reader: str,
    row: RowMapping,
    known: Mapping[tuple[Node, str], Problem],
    now: datetime,
) -> Problem:
    unit = _unit(row)
    before = known.get((unit, reader))
    return Problem(
        unit=unit,
        severity=Severity[row["severity"].upper()],
        since=row["since"] or (before.since if before else now),
        message=one_line(row["message"], MAX_MESSAGE),
        owner=row["owner"],
        reader=reader,
        run_id=str(row["run_id"]) if row["run_id"] else None,
        label=one_line(row["label"]),
        reached=tuple(_reached(each) for each in row.get("reached") or ()),
    )


def _reached(row: Sequence[Any]) -> Node:
    kind, name, schema, relation_name = row
    return relation(schema, relation_name) if kind == "relation" else Node(kind, name)


def _unit(row: RowMapping) -> Node:
    if row["kind"] == "relation":
        return relation(row["schema_name"], row["relation_name"])
    return Node(row["kind"], row["name"])


def _by_unit(found: Sequence[Problem]) -> dict[Node, list[Problem]]:
    problems: dict[Node, list[Problem]] = {}
    for each in found:
        problems.setdefault(each.unit, []).append(each)
    return problems


def worst_of(problems: Sequence[Problem]) -> Problem:
    """Return the problem that stands for the unit: of the worst, the one that started first."""
    return min(problems, key=lambda each: (-each.severity, each.since, each.reader))


def problem_row(problem: Problem) -> dict[str, Any]:
    """Return the form in which ops.incident_units stores a problem."""
    return {
        "reader": problem.reader,
        "severity": problem.severity.name.lower(),
        "since": problem.since.isoformat(),
        "message": problem.message,
        "owner": problem.owner,
        "run_id": problem.run_id,
        "label": problem.label,
        "reached": problem.reached,
    }


def problem_of(unit: Node, row: Mapping[str, Any]) -> Problem:
    """Return a stored problem."""
    return Problem(
        unit=unit,
        severity=Severity[row["severity"].upper()],
        since=datetime.fromisoformat(row["since"]),
        message=row["message"],
        owner=row["owner"],
        reader=row["reader"],
        run_id=row["run_id"],
        label=row["label"],
        reached=tuple(Node(*each) for each in row.get("reached", ())),
    )
