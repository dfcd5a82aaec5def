"""Several queries in a format of one table a file: a zip with a file for each.

Reads what it is given; writes to the file that it is given.
"""

import re
import zipfile
from collections.abc import Callable, Sequence
from typing import BinaryIO

from flows.reports.formats.export_context import Job
from flows.reports.formats.query.columns import distinct
from flows.reports.formats.query.statement import Query

_LONGEST = 50


def write_each(
    job: Job, suffix: str, file: BinaryIO, write: Callable[[Job, Query, BinaryIO], None]
) -> None:
    """The one query as it is, or a zip of all of them."""
    if len(job.queries) == 1:
        write(job, job.queries[0], file)
        return
    stems = distinct(file_stems([query.title for query in job.queries]))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for stem, query in zip(stems, job.queries, strict=True):
            with archive.open(f"{stem}{suffix}", "w", force_zip64=True) as entry:
                write(job, query, entry)  # pyright: ignore[reportArgumentType]  # IO[bytes]


def file_stems(titles: Sequence[str]) -> list[str]:
    """Names for files that no system stumbles over."""
    stems = [re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:_LONGEST] for title in titles]
    return [stem or f"query-{number}" for number, stem in enumerate(stems, 1)]
