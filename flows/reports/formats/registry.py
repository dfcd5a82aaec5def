"""The formats of report files, and the types that all of them share.

Reads nothing, writes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from analytics_worker.errors import PermanentError
from flows.reports.formats.query.column_options import ColumnOptions

ProgressCallback = Callable[[int], None]
"""Is called with the number of rows written so far: every `PROGRESS_ROWS`, and after each query."""

PROGRESS_ROWS = 50_000


class FormatError(PermanentError):
    """The report can't be written in this format; the message says what to change."""


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: Its canonical name.
        suffix: Of file names.
        media_type: Of files.
        document: Whether it is a page, rendered by `render_html`; the others stream rows.
        several: Whether a file holds several queries; otherwise they become a zip of files.
    """

    name: str
    suffix: str
    media_type: str
    document: bool = False
    several: bool = False

    def file_suffix(self, queries: int = 1) -> str:
        """Return the suffix of the file of a report with this many queries."""
        return self.suffix if self._is_single_file(queries) else f"{self.suffix}.zip"

    def file_media_type(self, queries: int = 1) -> str:
        """Return the media type of the file of a report with this many queries."""
        return self.media_type if self._is_single_file(queries) else "application/zip"

    def _is_single_file(self, queries: int) -> bool:
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


def get_format(name: str) -> Format:
    """Return the format of this name; ``excel`` is xlsx.

    Raises:
        FormatError: there is no such format; lists the known ones.
    """
    key = name.strip().lower()
    file_format = FORMATS.get(ALIASES.get(key, key))
    if file_format is None:
        known = ", ".join(sorted({*FORMATS, *ALIASES}))
        raise FormatError(f"format {name!r} is not valid; expected one of {known}")
    return file_format


@dataclass(frozen=True)
class TableQuery:
    """A query of a report with its parameters, which are bound by name (``:period_start``).

    ``columns`` has what readers see of some of its columns, by name. With ``hash_seconds``, its rows are hashed
    while they are read (`query.row_hash`), unless that takes longer. With ``held``, which is why, it has no rows.
    """

    title: str
    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, ColumnOptions] = field(default_factory=dict[str, ColumnOptions])
    hash_seconds: float | None = None
    held: str = ""


class Fingerprint(NamedTuple):
    """Number of rows, their hash, the sums of columns in double precision, and the names of all columns."""

    rows: int
    hash: str
    sums: tuple[tuple[str | None, str | None], ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class ExportResult:
    """Result of an export.

    Attributes:
        rows: Rows in the file, of all queries, without headers.
        size: Size of the file in bytes.
        truncated: Whether rows or text were left out; `notes` say which.
        notes: Sentences for the readers of the file: what was truncated or changed.
        columns: Column names in the file, by query.
        fingerprints: Of the queries that are hashed, by their position; None if it took too long to read the rows.
    """

    rows: int
    size: int
    truncated: bool
    notes: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    fingerprints: Mapping[int, Fingerprint | None] = field(
        default_factory=dict[int, Fingerprint | None]
    )
