"""Write several queries as a zip of files, for formats that hold one table per file.

Reads what the queries read; writes to the given file.
"""

from collections.abc import Callable, Sequence
from typing import BinaryIO

from analytics_worker.report_storage.file_names import slugify
from flows.reports.formats.archive import Archive
from flows.reports.formats.export_context import ExportContext
from flows.reports.formats.query.columns import unique_names
from flows.reports.formats.query.statement import PreparedQuery


def write_each(
    context: ExportContext,
    suffix: str,
    file: BinaryIO,
    write: Callable[[ExportContext, PreparedQuery, BinaryIO], None],
) -> None:
    """Write a single query as it is, several as a zip."""
    if len(context.queries) == 1:
        write(context, context.queries[0], file)
        return
    stems = unique_names(file_stems([query.title for query in context.queries]))
    with Archive(file) as archive:
        for stem, query in zip(stems, context.queries, strict=True):
            with archive.open(f"{stem}{suffix}", "w", force_zip64=True) as entry:
                write(context, query, entry)  # pyright: ignore[reportArgumentType]  # IO[bytes]


def file_stems(titles: Sequence[str]) -> list[str]:
    """Return file names that are valid on every system."""
    return [slugify(title, f"query-{number}") for number, title in enumerate(titles, 1)]
