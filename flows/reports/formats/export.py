"""Export the queries of a report to a file, in one of the formats that stream rows.

Reads what the queries read, in the given snapshot; writes one file and syncs it. The path is the caller's
temporary name: it is replaced if it exists, and removed on any error. So writing again is safe.
"""

import io
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from typing_extensions import override

from flows.reports.formats import csv, json
from flows.reports.formats import parquet as parquet_format
from flows.reports.formats.export_context import ExportContext
from flows.reports.formats.query.snapshot import Snapshot
from flows.reports.formats.query.statement import prepare_query
from flows.reports.formats.registry import (
    ExportResult,
    FormatError,
    ProgressCallback,
    TableQuery,
    get_format,
)
from flows.reports.formats.xlsx import writer
from flows.reports.formats.zip import write_each

_WRITERS: Mapping[str, Callable[[ExportContext, BinaryIO], None]] = {
    "csv": lambda context, file: write_each(context, ".csv", file, csv.write),
    "json": json.write_document,
    "ndjson": lambda context, file: write_each(context, ".ndjson", file, json.write_lines),
    "parquet": lambda context, file: write_each(context, ".parquet", file, parquet_format.write),
    "xlsx": writer.write,
}


def export(  # noqa: PLR0913  # half of them are options, by name
    snapshot: Snapshot,
    queries: Sequence[TableQuery],
    path: Path,
    format: str,  # noqa: A002  # the usual name
    *,
    max_rows: int | None = None,
    raw: bool = False,
    bom: bool = False,
    footer: str = "",
    sheet_notes: Sequence[str] = (),
    progress: ProgressCallback = lambda _rows: None,
) -> ExportResult:
    """Write the queries to a file.

    Args:
        snapshot: The snapshot in which all of them run.
        queries: At least one; several become sheets, keys of one object, or files in a zip.
        path: A temporary name; the caller renames it.
        format: csv, json, ndjson, parquet or xlsx (excel); html and pdf need a `Document`.
        max_rows: Maximum number of rows of each query.
        raw: Do not escape text that a spreadsheet would interpret as a formula: for programs.
        bom: Begin csv with a UTF-8 byte order mark, which Excel needs.
        footer: Is printed on each page of a workbook.
        sheet_notes: Are on the sheet of notes of a workbook, before those of the export.
        progress: Is called with the number of rows written so far.

    Raises:
        FormatError: the format is not valid or can't be written.
        UserSqlError: a query is at fault.
        OSError: the file can't be written.
        psycopg2.Error: the database is unavailable.
    """
    file_format = get_format(format)
    if file_format.document:
        raise FormatError(
            f"{file_format.name} is a page: render a Document instead of exporting rows"
        )
    if not queries:
        raise FormatError("there is no query to export")
    prepared = [prepare_query(snapshot, query) for query in queries]
    context = ExportContext(snapshot, prepared, max_rows, raw, progress, bom, footer, sheet_notes)
    with _new_file(path) as file:
        _WRITERS[file_format.name](context, file)
    columns = tuple(query.names for query in prepared)
    return ExportResult(
        context.rows,
        path.stat().st_size,
        context.truncated,
        tuple(context.notes),
        columns,
        context.fingerprints,
    )


WRITEBACK_BYTES = 8 << 20


class _WritebackFile(io.FileIO):
    """Start to write to the disk while more rows arrive, so that the final sync is short."""

    _size = _started = 0

    @override
    def write(self, data: Any, /) -> int:
        written = super().write(data)
        self._size += written
        pending = self._size - self._started
        if pending >= WRITEBACK_BYTES:
            # on Linux this starts the write-back of dirty pages without waiting for it
            os.posix_fadvise(self.fileno(), self._started, pending, os.POSIX_FADV_DONTNEED)
            self._started = self._size
        return written


@contextmanager
def _new_file(path: Path) -> Generator[BinaryIO]:
    """Open a file that is complete and synced at the end, or removed on any error."""
    try:
        with io.BufferedWriter(_WritebackFile(path, "w")) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
