"""The fingerprint of all rows of a query, added up from the hash that the server computes of each row.

Reads nothing, writes nothing. The order of the rows does not matter. Two executions may differ in the last digits
of double precision, because sums depend on the order of their addends: these columns are no part of the hash. They
have sums, which are compared with a tolerance; each addend is multiplied with a weight from the hash of its row, so
that a value that moves to another row is seen. What would leave a sum without a number (NaN, infinity, and values near
the greatest one) is hashed. Other values are hashed by the server's function of their type, for which ``1.50`` is
``1.5``, and those of types that have none as text.
"""

import time
from collections.abc import Sequence
from itertools import compress
from operator import mul

from psycopg2 import sql

from flows.reports.formats.query.columns import Column, ColumnKind
from flows.reports.formats.query.sink import Sink
from flows.reports.formats.query.statement import PreparedQuery, column_identifier
from flows.reports.formats.registry import Fingerprint

BATCH_ROWS = 10_000
_SEPARATOR = "|"
_IS_SUMMED = "abs({cell}::double precision) < 1e290"
_HASHED = {
    ColumnKind.FLOAT: f"case when {_IS_SUMMED} then 'f' when {{cell}} is null then 't' else {{cell}}::text end",
    ColumnKind.TEXT: '{cell} collate "C"',
    **dict.fromkeys(
        (ColumnKind.MONEY, ColumnKind.JSON, ColumnKind.OTHER), "cast(row({cell}) as text)"
    ),
}
"""What is hashed of a cell, by its kind: of others the cell itself."""


def float_cells(columns: Sequence[Column]) -> list[sql.Composable]:
    """Return SQL for the cells of the columns in double precision that are summed; null for the others."""
    cells = [_cell(n) for n, column in enumerate(columns) if column.kind is ColumnKind.FLOAT]
    template = f"case when {_IS_SUMMED} then {{cell}}::double precision end"
    return [sql.SQL(template).format(cell=cell) for cell in cells]


def row_hash(columns: Sequence[Column]) -> sql.Composable:
    """Return SQL for the hash of a row of `hashed_source`, a bigint."""
    cells = [
        sql.SQL(_HASHED.get(column.kind, "{cell}")).format(cell=_cell(number))
        for number, column in enumerate(columns)
    ]
    # The hash of a record is linear in those of its cells: their sum would not show values that change places.
    record = sql.SQL("hash_record_extended(row({}), 0)").format(sql.SQL(", ").join(cells))
    return sql.SQL('hashtextextended(cast({} as text) collate "C", 0)').format(record)


def row_head(columns: Sequence[Column]) -> sql.Composable:
    """Return SQL for the hash of a row with its cells in double precision that are summed, as one text."""
    cells = [row_hash(columns), *float_cells(columns)]
    first, *others = (sql.SQL("cast({} as text)").format(each) for each in cells)
    separator = sql.Literal(_SEPARATOR)
    rest = [sql.SQL(" || {} || coalesce({}, '')").format(separator, each) for each in others]
    return sql.Composed([first, *rest])


def hashed_source(query: PreparedQuery) -> sql.Composable:
    """Return the source of a query whose cells are computed once although several expressions use them."""
    return sql.SQL("(select * from {} offset 0) as q").format(query.source)


def _cell(number: int) -> sql.Composable:
    return sql.SQL("q.{}").format(column_identifier(number))


class RowSums:
    """Adds up the heads of rows, and measures how long that takes."""

    def __init__(self, query: PreparedQuery) -> None:
        self._query = query
        self._end = time.monotonic() + (query.hash_seconds or 0)
        self._rows = self._hash = 0
        floats = [each for each in query.columns if each.kind is ColumnKind.FLOAT]
        self._sums = [_FloatSums() for _ in floats]

    def add(self, heads: Sequence[str]) -> None:
        """Add rows by their `row_head`."""
        if not heads:
            return
        # One flat list: a list for each row would keep the garbage collector busy.
        texts, width = _SEPARATOR.join(heads).split(_SEPARATOR), 1 + len(self._sums)
        hashes = list(map(int, texts[::width]))
        self._rows += len(hashes)
        self._hash += sum(hashes)
        if self._sums:
            weights = [1 + abs(each) % 1000 / 1000 for each in hashes]
            for number, sums in enumerate(self._sums, 1):
                sums.add(texts[number::width], weights)

    def fingerprint(self) -> Fingerprint | None:
        """Return the fingerprint of all rows; None if to read them took too long."""
        if time.monotonic() > self._end:
            return None
        pairs = tuple(each.texts() for each in self._sums)
        return Fingerprint(self._rows, str(self._hash), pairs, self._query.names)


class _FloatSums:
    """The weighted sum of a column in double precision, and the sum of its absolute values."""

    def __init__(self) -> None:
        self._count = 0
        self._weighted = self._absolute = 0.0

    def add(self, cells: Sequence[str], weights: Sequence[float]) -> None:
        """Add the cells of some rows that are not empty."""
        values = list(map(float, filter(None, cells)))
        self._count += len(values)
        self._weighted += sum(map(mul, values, compress(weights, cells)))
        self._absolute += sum(map(abs, values))

    def texts(self) -> tuple[str | None, str | None]:
        """Return both sums; None without a value."""
        return (repr(self._weighted), repr(self._absolute)) if self._count else (None, None)


class HashedSink:
    """Take the head off each row of COPY, and pass the row on."""

    truncated = False

    def __init__(self, sink: Sink, delimiter: bytes, sums: RowSums) -> None:
        self._sink = sink
        self._write = sink.write
        self._delimiter = delimiter
        self._sums = sums
        self._heads: list[bytes] = []

    def write(self, data: bytes, /) -> None:
        """Write one row."""
        head, _, row = data.partition(self._delimiter)
        self._heads.append(head)
        self._write(row)
        if len(self._heads) == BATCH_ROWS:
            self._add()

    def finish(self, rows: int) -> int:
        """Return the number of rows that were passed on."""
        self._add()
        return self._sink.finish(rows)

    def _add(self) -> None:
        if self._heads:
            self._sums.add(b"\n".join(self._heads).decode().split("\n"))
            self._heads.clear()
