"""Write the queries of a report to a file, in one of the streaming formats.

Reads what the queries read, in the snapshot that it is given; writes one file and syncs it. The
path is the caller's temporary name: it is replaced if it exists, and removed if anything goes wrong.
So writing again is safe.
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
from flows.reports.formats.export_context import Job
from flows.reports.formats.query.snapshot import Snapshot
from flows.reports.formats.query.statement import prepared
from flows.reports.formats.registry import Exported, FormatError, Progress, Table, format_named
from flows.reports.formats.xlsx import writer
from flows.reports.formats.zip import write_each

_WRITERS: Mapping[str, Callable[[Job, BinaryIO], None]] = {
    "csv": lambda job, file: write_each(job, ".csv", file, csv.write),
    "json": json.write_document,
    "ndjson": lambda job, file: write_each(job, ".ndjson", file, json.write_lines),
    "parquet": lambda job, file: write_each(job, ".parquet", file, parquet_format.write),
    "xlsx": writer.write,
}


def export(  # noqa: PLR0913  # half of them are options, by name
    snapshot: Snapshot,
    tables: Sequence[Table],
    path: Path,
    format: str,  # noqa: A002  # what everybody calls it
    *,
    max_rows: int | None = None,
    raw: bool = False,
    bom: bool = False,
    progress: Progress = lambda _rows: None,
) -> Exported:
    """Write the tables to a file.

    Args:
        snapshot: The moment that all of them show.
        tables: At least one; several become sheets, keys of one object, or files in a zip.
        path: A temporary name; the caller renames it.
        format: csv, json, ndjson, parquet or xlsx (excel); html and pdf are made of a `Document`.
        max_rows: The most rows of each table.
        raw: Leave text as it is that a spreadsheet would take for a formula: for machines.
        bom: Begin csv with the byte order mark by which Excel knows UTF-8.
        progress: Is told the rows written so far.

    Raises:
        FormatError: the format is unknown or can't be written.
        UserSqlError: a query is at fault.
        OSError: the file can't be written.
        psycopg2.Error: the database is away.
    """
    chosen = format_named(format)
    if chosen.document:
        raise FormatError(f"{chosen.name} is a page, not rows: make a Document and render it")
    if not tables:
        raise FormatError("there is no query to export")
    queries = [prepared(snapshot, table) for table in tables]
    job = Job(snapshot, queries, max_rows, raw, progress, bom)
    with _new_file(path) as file:
        _WRITERS[chosen.name](job, file)
    columns = tuple(query.names for query in queries)
    return Exported(job.rows, path.stat().st_size, job.truncated, tuple(job.notes), columns)


WRITTEN_AT_ONCE = 8 << 20


class _File(io.FileIO):
    """Goes to the disk while more of it is made, so that little is left to wait for at the end."""

    _size = _begun = 0

    @override
    def write(self, data: Any, /) -> int:
        written = super().write(data)
        self._size += written
        waiting = self._size - self._begun
        if waiting >= WRITTEN_AT_ONCE:
            # on Linux this starts to write pages that are not on the disk, and waits for nothing
            os.posix_fadvise(self.fileno(), self._begun, waiting, os.POSIX_FADV_DONTNEED)
            self._begun = self._size
        return written


@contextmanager
def _new_file(path: Path) -> Generator[BinaryIO]:
    """A file that is whole and on the disk at the end, or gone."""
    try:
        with io.BufferedWriter(_File(path, "w")) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
