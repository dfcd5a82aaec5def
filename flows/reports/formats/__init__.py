"""Files and pages that reports are made of.

`snapshot` opens one moment of the database, `export` streams queries from it to csv, json, ndjson,
parquet or xlsx, `fetch` reads the rows of a page, `render_html` and `render_pdf` make it.
"""

from flows.reports.formats.export import export
from flows.reports.formats.pages.document import (
    Better,
    Chart,
    ChartKind,
    Document,
    File,
    Series,
    Tile,
    chart_of,
)
from flows.reports.formats.pages.html import Html, render_html, render_pdf
from flows.reports.formats.query.columns import Column, Kind
from flows.reports.formats.query.fetch import Found, Planned, fetch, planned
from flows.reports.formats.query.snapshot import LONGEST_TIMEOUT, Snapshot, snapshot
from flows.reports.formats.registry import (
    ALIASES,
    FORMATS,
    Exported,
    Format,
    FormatError,
    Progress,
    Table,
    format_named,
)

__all__ = [
    "ALIASES",
    "FORMATS",
    "LONGEST_TIMEOUT",
    "Better",
    "Chart",
    "ChartKind",
    "Column",
    "Document",
    "Exported",
    "File",
    "Format",
    "FormatError",
    "Found",
    "Html",
    "Kind",
    "Planned",
    "Progress",
    "Series",
    "Snapshot",
    "Table",
    "Tile",
    "chart_of",
    "export",
    "fetch",
    "format_named",
    "planned",
    "render_html",
    "render_pdf",
    "snapshot",
]
