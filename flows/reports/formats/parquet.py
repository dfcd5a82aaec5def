"""Parquet: typed columns in row groups, for other programs; needs the extra ``parquet``.

The server writes csv, and pyarrow reads it in chunks: so texts, numbers and instants are those of the other
formats, and only one row group is in memory. ``numeric`` without a declared precision becomes a double;
``numeric(12, 2)`` keeps its digits. Text is left as it is.
"""

from contextlib import closing
from importlib.util import find_spec
from typing import Any, BinaryIO

from psycopg2 import sql

from flows.reports.formats.export_context import ExportContext
from flows.reports.formats.query.columns import Column, ColumnKind
from flows.reports.formats.query.copy import limit_clause
from flows.reports.formats.query.statement import PreparedQuery, column_identifier
from flows.reports.formats.registry import FormatError

GROUP_BYTES = 1 << 20
"""Size of the csv of one row group; pyarrow needs several times as much while it writes one."""
MAX_DECIMAL_DIGITS = 38


def write(context: ExportContext, query: PreparedQuery, file: BinaryIO) -> None:
    """Write all rows of a query.

    Raises:
        FormatError: pyarrow is not installed, or parquet can't hold a value.
    """
    if find_spec("pyarrow") is None:
        raise FormatError("parquet needs pyarrow: install analytics-worker[parquet]")
    cells = sql.SQL(", ").join(column_identifier(number) for number in range(len(query.columns)))
    select = sql.SQL("select {} from {}{}").format(
        cells, query.source, limit_clause(context.max_rows)
    )
    with closing(_RowGroupWriter(query, file)) as writer:
        context.copy(query, select, "format csv", writer.write, by_row=True)
        writer.finish(context.notes)


class _RowGroupWriter:
    """Take rows as csv, one per call, and write them in row groups of `GROUP_BYTES`."""

    def __init__(self, query: PreparedQuery, file: BinaryIO) -> None:
        import pyarrow as pa  # noqa: PLC0415  # 30 MB that only these reports need
        from pyarrow import parquet  # noqa: PLC0415

        pa.set_memory_pool(pa.system_memory_pool())  # its default pool keeps 15 MB more
        pa.set_io_thread_count(1)  # each thread keeps memory of its own
        self._title = query.title
        self._schema = pa.schema([(c.name, _type(pa, c)) for c in query.columns])
        self._writer: Any = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._buffer = bytearray()

    def write(self, row: bytes | memoryview) -> None:
        self._buffer += row
        if len(self._buffer) >= GROUP_BYTES:
            self._flush()

    def finish(self, notes: list[str]) -> None:
        """Write the remaining rows, and the notes as metadata of the file."""
        self._flush()
        if notes:
            self._writer.add_key_value_metadata({"notes": "\n".join(notes)})

    def close(self) -> None:
        """Write the end of the file; the caller discards it after an error."""
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa  # noqa: PLC0415

        if not self._buffer:
            return
        try:
            row_group = self._read_buffer()
        except pa.ArrowInvalid as error:
            raise FormatError(f"{self._title}: parquet can't hold a value: {error}") from None
        self._writer.write_table(row_group)
        self._buffer = bytearray()  # pyarrow may still refer to the previous one

    def _read_buffer(self) -> Any:
        """Return the csv of the buffer as a table of pyarrow."""
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import csv  # noqa: PLC0415

        names, size = self._schema.names, len(self._buffer) + 1
        return csv.read_csv(
            pa.BufferReader(self._buffer),
            read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=size),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=self._schema,
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
