"""Parquet: typed columns in row groups, for other programs; needs the extra ``parquet``.

The server writes csv, and pyarrow reads it in chunks: so texts, numbers and instants are those of the other
formats, and only one row group is in memory. ``numeric`` without a declared precision becomes a double;
``numeric(12, 2)`` keeps its digits. Text is left as it is. A column with a value that its type in parquet
can't hold, such as an infinite date or 24:00, is text: the file is written once more, with a note.
"""

import shutil
from collections.abc import Collection, Sequence
from contextlib import closing
from importlib.util import find_spec
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from psycopg2 import sql

from flows.reports.formats.export_context import ExportContext
from flows.reports.formats.query.columns import Column, ColumnKind
from flows.reports.formats.query.copy import CSV
from flows.reports.formats.query.statement import PreparedQuery, column_identifier
from flows.reports.formats.registry import FormatError

GROUP_BYTES = 3 << 18
"""Size of the csv of one row group; pyarrow needs several times as much while it writes one."""
MAX_DECIMAL_DIGITS = 38


def write(context: ExportContext, query: PreparedQuery, file: BinaryIO) -> None:
    """Write all rows of a query.

    Raises:
        FormatError: pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise FormatError("parquet needs pyarrow: install analytics-worker[parquet]")
    if file.seekable():
        _write_file(context, query, file)
        return
    with TemporaryFile() as copy:  # what is written in a zip can't be replaced
        _write_file(context, query, copy)
        copy.seek(0)
        shutil.copyfileobj(copy, file)


def _write_file(context: ExportContext, query: PreparedQuery, file: BinaryIO) -> None:
    before = context.progress_state()
    odd = _write_rows(context, query, file, frozenset())
    if odd:
        context.restore(before)
        file.seek(0)
        file.truncate()
        _add_note(context, query, odd)
        _write_rows(context, query, file, odd)


def _write_rows(
    context: ExportContext, query: PreparedQuery, file: BinaryIO, text_columns: frozenset[str]
) -> frozenset[str]:
    """Write the rows; return the columns that have to be text, in which case rows are missing."""
    cells = sql.SQL(", ").join(column_identifier(number) for number in range(len(query.columns)))
    with closing(_RowGroupWriter(query, file, text_columns)) as writer:
        context.copy(query, cells, CSV, writer.write, by_row=True)
        return writer.finish(context.notes)


def _add_note(context: ExportContext, query: PreparedQuery, columns: Collection[str]) -> None:
    names = ", ".join(sorted(columns))
    context.notes.append(
        f"{query.title}: values of {names} have no equivalent in parquet; the column is text."
    )


class _RowGroupWriter:
    """Take rows as csv, one per call, and write them in row groups of `GROUP_BYTES`.

    From the first value that has no equivalent on, rows are only searched for more of them.
    """

    def __init__(self, query: PreparedQuery, file: BinaryIO, text_columns: Collection[str]) -> None:
        import pyarrow as pa  # noqa: PLC0415  # 30 MB that only these reports need
        from pyarrow import parquet  # noqa: PLC0415

        pa.set_memory_pool(pa.system_memory_pool())  # its default pool keeps 15 MB more
        pa.set_io_thread_count(1)  # each thread keeps memory of its own
        types = [
            (c.name, pa.string() if c.name in text_columns else _type(pa, c)) for c in query.columns
        ]
        self._schema = pa.schema(types)
        self._writer: Any = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._buffer = bytearray()
        self._odd: set[str] = set()

    def write(self, row: bytes | memoryview) -> None:
        self._buffer += row
        if len(self._buffer) >= GROUP_BYTES:
            self._flush()

    def finish(self, notes: list[str]) -> frozenset[str]:
        """Write the remaining rows, and the notes as metadata; return the columns that have to be text."""
        self._flush()
        if notes:
            self._writer.add_key_value_metadata({"notes": "\n".join(notes)})
        return frozenset(self._odd)

    def close(self) -> None:
        """Write the end of the file; the caller discards it after an error."""
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa  # noqa: PLC0415

        if not self._buffer:
            return
        try:
            row_group = self._read_buffer(self._schema.names)
        except pa.ArrowInvalid:
            self._odd.update(filter(self._is_odd, self._schema.names))
        else:
            if not self._odd:
                self._writer.write_table(row_group)
        self._buffer = bytearray()  # pyarrow may still refer to the previous one

    def _is_odd(self, name: str) -> bool:
        import pyarrow as pa  # noqa: PLC0415

        try:
            self._read_buffer([name])
        except pa.ArrowInvalid:
            return True
        return False

    def _read_buffer(self, columns: Sequence[str]) -> Any:
        """Return columns of the csv of the buffer as a table of pyarrow."""
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import csv  # noqa: PLC0415

        names, size = self._schema.names, len(self._buffer) + 1
        return csv.read_csv(
            pa.BufferReader(self._buffer),
            read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=size),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=self._schema,
                include_columns=columns,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )


def _type(pa: Any, column: Column) -> Any:
    """Return the type of a column."""
    if column.kind is ColumnKind.NUMERIC and column.precision is not None:
        scale = column.scale or 0
        if column.precision <= MAX_DECIMAL_DIGITS and 0 <= scale <= column.precision:
            return pa.decimal128(column.precision, scale)
        return pa.string()
    types = {
        ColumnKind.INTEGER: pa.int64(),
        ColumnKind.FLOAT: pa.float64(),
        ColumnKind.NUMERIC: pa.float64(),
        ColumnKind.BOOLEAN: pa.bool_(),
        ColumnKind.DATE: pa.date32(),
        ColumnKind.TIMESTAMP: pa.timestamp("us"),
        ColumnKind.INSTANT: pa.timestamp("us", tz="UTC"),
        ColumnKind.TIME: pa.time64("us"),
    }
    return types.get(column.kind, pa.string())
