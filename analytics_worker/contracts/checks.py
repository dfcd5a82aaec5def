"""Check whether a relation keeps a contract.

`check_schema` compares what the server knows of it. `check_data` looks at its rows: as the reader, with its limits, or in
a transaction that alone sees them. Both take any relation, so that another one can be checked against the same
contract. Neither writes. A check that can't be measured has a reason, and stops no other.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any, Literal, NamedTuple, Protocol

from psycopg2 import sql

from analytics_worker.contracts.facts import Facts
from analytics_worker.contracts.model import ColumnContract, Contract, Value, literal_text
from analytics_worker.contracts.statements import with_names
from analytics_worker.database.reader_sessions import ReaderSession
from analytics_worker.errors import is_database_outage
from analytics_worker.text import counted, one_line

TIMEOUT = timedelta(seconds=5)
RELATION_SECONDS = 30
"""Time after which no other check of a relation begins."""
MAX_SCANNED_BYTES = 64 * 2**20
"""Size from which a check needs an index on its column."""
MAX_COUNTED = 1000
LATE = f"not looked at: the checks before it took {RELATION_SECONDS} s (timeout)"

Status = Literal["passed", "broken", "not measured"]


class CheckResult(NamedTuple):
    """The result of a check; the message says what is broken, or why it could not be measured."""

    name: str
    status: Status
    message: str = ""


class Rows(Protocol):
    """Where the rows of a relation are looked at."""

    def driver_connection(self) -> Any:
        """Return the connection for which literals and names are quoted."""

    def count(self, statement: str) -> int:
        """Return the number that a statement counts."""
        ...


class ReaderRows:
    """What the reader sees, with its limits."""

    def __init__(self, session: ReaderSession) -> None:
        self._session = session

    def driver_connection(self) -> Any:
        """Return the connection of the reader."""
        return self._session.connect()

    def count(self, statement: str) -> int:
        """Return the number that a statement counts."""
        return int(self._session.fetch(statement, timeout=TIMEOUT).rows[0][0] or 0)


class DataCheck(NamedTuple):
    """A statement that counts what breaks the contract.

    Attributes:
        name: What is checked.
        statement: Name of the file of the statement.
        columns: The columns that it looks at.
        parts: Literals of the statement.
        broken: What is wrong if it counts any.
        guaranteed: Whether the server guarantees that it holds.
        noun: What is counted.
    """

    name: str
    statement: str
    columns: Sequence[str]
    parts: dict[str, sql.Composable]
    broken: str
    guaranteed: bool = False
    noun: str = "row"


def check_schema(contract: Contract, facts: Facts) -> list[CheckResult]:
    """Return whether the relation and its columns exist and have the declared types."""
    if facts.relkind is None:
        return [CheckResult("relation", "broken", "the relation does not exist")]
    existing = [_existence(name, facts) for name in contract.names]
    types = [
        _type(name, column.type, facts)
        for name, column in contract.columns.items()
        if column.type and name in facts.columns
    ]
    return [CheckResult("relation", "passed"), *existing, *types]


def _existence(name: str, facts: Facts) -> CheckResult:
    if name in facts.columns:
        return CheckResult(f"column {name}", "passed")
    return CheckResult(f"column {name}", "broken", f"the column {name} does not exist")


def _type(name: str, declared: str, facts: Facts) -> CheckResult:
    label = f"type of {name}"
    if facts.types.get(declared) is None:
        return CheckResult(
            label,
            "not measured",
            f"there is no type {declared}; correct it in definitions/trust.yml",
        )
    if facts.has_type(name, declared):
        return CheckResult(label, "passed")
    found = facts.columns[name]["type"]
    return CheckResult(label, "broken", f"{name} is {found}, the contract has {declared}")


def data_checks(contract: Contract, facts: Facts) -> list[DataCheck]:
    """Return the checks of rows whose columns exist."""
    checks = [
        *(
            each
            for name, column in contract.columns.items()
            for each in _of_column(name, column, facts)
        ),
        *(_key(key, facts) for key in contract.keys),
    ]
    return [each for each in checks if all(name in facts.columns for name in each.columns)]


def _of_column(name: str, column: ColumnContract, facts: Facts) -> Iterator[DataCheck]:
    if column.not_null:
        guaranteed = name in facts.columns and facts.columns[name]["not_null"]
        yield DataCheck(f"not null {name}", "nulls", [name], {}, f"{name} is null", guaranteed)
    if column.min is not None:
        yield _bound(name, "below", column.min, "less")
    if column.max is not None:
        yield _bound(name, "above", column.max, "more")
    if column.accepted is not None:
        values = sql.SQL(", ").join(sql.Literal(literal_text(each)) for each in column.accepted)
        yield DataCheck(
            f"accepted values of {name}", "others", [name], {"values": values},
            f"{name} has other values than those accepted",
        )  # fmt: skip


def _bound(name: str, statement: str, value: Value, word: str) -> DataCheck:
    text = literal_text(value)
    return DataCheck(
        f"{statement} {name}", statement, [name], {"value": sql.Literal(text)},
        f"{name} is {word} than {text}",
    )  # fmt: skip


def _key(key: Sequence[str], facts: Facts) -> DataCheck:
    names = ", ".join(key)
    columns = sql.SQL(", ").join(map(sql.Identifier, key))
    return DataCheck(
        f"unique {names}", "duplicates", key, {"columns": columns},
        f"{names} is not unique", facts.is_unique(key), "key",
    )  # fmt: skip


def check_data(
    rows: Rows, contract: Contract, facts: Facts, schema: str, relation: str
) -> list[CheckResult]:
    """Return whether the rows of a relation keep the contract."""
    target, end = sql.Identifier(schema, relation), monotonic() + RELATION_SECONDS
    return [
        _measured(rows, each, facts, target)
        if monotonic() < end
        else CheckResult(each.name, "not measured", LATE)
        for each in data_checks(contract, facts)
    ]


def _measured(rows: Rows, check: DataCheck, facts: Facts, target: sql.Composable) -> CheckResult:
    if check.guaranteed:
        return CheckResult(check.name, "passed")
    if facts.bytes > MAX_SCANNED_BYTES and check.columns[0] not in facts.indexed:
        size = f"{facts.bytes // 2**20:,} MB without an index on {check.columns[0]}; create one"
        return CheckResult(check.name, "not measured", size)
    parts = {"relation": target, "column": sql.Identifier(check.columns[0]), **check.parts}
    try:
        found = rows.count(with_names(check.statement, rows.driver_connection(), **parts))
    except Exception as error:  # a value of the column may provoke any error
        if is_database_outage(error):
            raise
        return CheckResult(
            check.name, "not measured", one_line(str(getattr(error, "orig", None) or error))
        )
    if not found:
        return CheckResult(check.name, "passed")
    count = (
        f"{MAX_COUNTED:,} or more {check.noun}s"
        if found >= MAX_COUNTED
        else counted(found, check.noun)
    )
    return CheckResult(check.name, "broken", f"{check.broken}: {count}")
