"""What a report is made of and what comes out of it: plain values that every format shares.

Reads nothing, writes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from analytics_worker.errors import PermanentError

Progress = Callable[[int], None]
"""Is told the number of rows written so far, every `PROGRESS_ROWS` and at the end of a query."""

PROGRESS_ROWS = 50_000


class FormatError(PermanentError):
    """The report can't be written in this format; says what to change."""


@dataclass(frozen=True)
class Format:
    """A kind of file.

    ``document``: a page for people, made by `render_html`; the other formats stream rows.
    ``several``: holds several queries in one file; otherwise they become a zip of one file each.
    """

    name: str
    suffix: str
    media_type: str
    document: bool = False
    several: bool = False

    def file_suffix(self, queries: int = 1) -> str:
        """End of the file's name for a report of this many queries."""
        return self.suffix if self._one_file(queries) else f"{self.suffix}.zip"

    def file_media_type(self, queries: int = 1) -> str:
        """Media type of the file for a report of this many queries."""
        return self.media_type if self._one_file(queries) else "application/zip"

    def _one_file(self, queries: int) -> bool:
        return queries <= 1 or self.several or self.document


_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

FORMATS: Mapping[str, Format] = {
    "csv": Format("csv", ".csv", "text/csv; charset=utf-8"),
    "json": Format("json", ".json", "application/json", several=True),
    "ndjson": Format("ndjson", ".ndjson", "application/x-ndjson"),
    "xlsx": Format("xlsx", ".xlsx", _XLSX, several=True),
    "parquet": Format("parquet", ".parquet", "application/vnd.apache.parquet"),
    "html": Format("html", ".html", "text/html; charset=utf-8", document=True),
    "pdf": Format("pdf", ".pdf", "application/pdf", document=True),
}
ALIASES = {"excel": "xlsx"}


def format_named(name: str) -> Format:
    """The format of this name; ``excel`` is xlsx.

    Raises:
        FormatError: there is no such format; names those that there are.
    """
    found = FORMATS.get(ALIASES.get(name.strip().lower(), name.strip().lower()))
    if found is None:
        known = ", ".join(sorted({*FORMATS, *ALIASES}))
        raise FormatError(f"unknown format {name!r}; there are {known}")
    return found


@dataclass(frozen=True)
class Table:
    """One query of a report; its parameters are bound by name (``:period_start``)."""

    title: str
    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        rows: Rows in the file, of all queries, without headers.
        size: Bytes of the file.
        truncated: Whether rows or text were left out; `notes` say which.
        notes: Sentences for the reader of the file: what was cut or changed, in plain words.
        columns: Column names as the file has them, by query.
    """

    rows: int
    size: int
    truncated: bool
    notes: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
