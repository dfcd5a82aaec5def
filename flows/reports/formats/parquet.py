"""Parquet: typed columns in groups of rows, for other programs; needs the extra ``parquet``.

The server writes csv, pyarrow reads it some megabytes at a time: so texts, numbers and instants are
those of the other formats, and nothing is held but one group. ``numeric`` without a declared precision
becomes a double; ``numeric(12, 2)`` keeps its digits. Text is left as it is.
"""

from contextlib import closing
from importlib.util import find_spec
from typing import Any, BinaryIO

from psycopg2 import sql

from flows.reports.formats.export_context import Job
from flows.reports.formats.query.columns import Column, Kind
from flows.reports.formats.query.copy import capped
from flows.reports.formats.query.statement import Query, place
from flows.reports.formats.registry import FormatError

GROUP_BYTES = 1 << 20
"""Of csv in one group of rows; pyarrow needs several times as much while it writes one."""
MOST_DIGITS = 38


def write(job: Job, query: Query, file: BinaryIO) -> None:
    """All rows of a query.

    Raises:
        FormatError: pyarrow is not installed, or a value has no place in parquet.
    """
    if find_spec("pyarrow") is None:
        raise FormatError("parquet needs pyarrow: install analytics-worker[parquet]")
    cells = sql.SQL(", ").join(place(number) for number in range(len(query.columns)))
    select = sql.SQL("select {} from {}{}").format(cells, query.source, capped(job.max_rows))
    with closing(_Groups(query, file)) as groups:
        job.copy(query, select, "format csv", groups.write, by_row=True)
        groups.finish(job.notes)


class _Groups:
    """Takes rows as csv, one a call, and writes a group whenever there are enough of them."""

    def __init__(self, query: Query, file: BinaryIO) -> None:
        import pyarrow as pa  # noqa: PLC0415  # 30 MB that only these reports need
        from pyarrow import parquet  # noqa: PLC0415

        pa.set_memory_pool(pa.system_memory_pool())  # its own one keeps 15 MB more
        pa.set_io_thread_count(1)  # each thread has free memory of its own
        self._title = query.title
        self._schema = pa.schema([(c.name, _type(pa, c)) for c in query.columns])
        self._writer: Any = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._held = bytearray()

    def write(self, row: bytes | memoryview) -> None:
        self._held += row
        if len(self._held) >= GROUP_BYTES:
            self._flush()

    def finish(self, notes: list[str]) -> None:
        """The rest, and what readers must know, in the file's metadata."""
        self._flush()
        if notes:
            self._writer.add_key_value_metadata({"notes": "\n".join(notes)})

    def close(self) -> None:
        """End the file, which is thrown away if anything went wrong."""
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import csv  # noqa: PLC0415

        if not self._held:
            return
        try:
            group = csv.read_csv(
                pa.BufferReader(self._held),
                read_options=csv.ReadOptions(
                    column_names=self._schema.names,
                    use_threads=False,
                    block_size=len(self._held) + 1,
                ),
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
        except pa.ArrowInvalid as error:
            raise FormatError(f"{self._title}: parquet can't hold a value: {error}") from None
        self._writer.write_table(group)
        self._held = bytearray()  # the last one may still be somebody's


def _type(pa: Any, column: Column) -> Any:
    """What a column is to parquet."""
    if column.kind is Kind.NUMERIC and column.precision is not None:
        scale = column.scale or 0
        if column.precision <= MOST_DIGITS and 0 <= scale <= column.precision:
            return pa.decimal128(column.precision, scale)
        return pa.string()
    types = {
        Kind.INTEGER: pa.int64(),
        Kind.FLOAT: pa.float64(),
        Kind.NUMERIC: pa.float64(),
        Kind.BOOLEAN: pa.bool_(),
        Kind.DATE: pa.date32(),
        Kind.TIMESTAMP: pa.timestamp("us"),
        Kind.INSTANT: pa.timestamp("us", tz="UTC"),
        Kind.TIME: pa.time64("us"),
    }
    return types.get(column.kind, pa.string())
