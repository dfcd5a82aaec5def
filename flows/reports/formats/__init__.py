"""File formats and pages of reports.

`open_snapshot` opens a snapshot of the database. `export` streams queries from it to csv, json, ndjson,
parquet or xlsx. `fetch_rows` reads the rows of a page, which `render_html` and `render_pdf` render.
"""

from flows.reports.formats.export import export
from flows.reports.formats.pages.document import (
    Better,
    Chart,
    ChartKind,
    Document,
    File,
    Restated,
    Series,
    Tile,
    chart_from_rows,
)
from flows.reports.formats.pages.html import Html, render_html, render_pdf
from flows.reports.formats.query.column_options import ColumnOptions
from flows.reports.formats.query.columns import Column, ColumnKind
from flows.reports.formats.query.fetch import FetchedRows, QueryPlan, explain_query, fetch_rows
from flows.reports.formats.query.snapshot import MAX_TIMEOUT, Snapshot, open_snapshot
from flows.reports.formats.query.totals import fetch_table
from flows.reports.formats.registry import (
    ALIASES,
    FORMATS,
    ExportResult,
    Fingerprint,
    Format,
    FormatError,
    ProgressCallback,
    TableQuery,
    get_format,
)

__all__ = [
    "ALIASES",
    "FORMATS",
    "MAX_TIMEOUT",
    "Better",
    "Chart",
    "ChartKind",
    "Column",
    "ColumnKind",
    "ColumnOptions",
    "Document",
    "ExportResult",
    "FetchedRows",
    "File",
    "Fingerprint",
    "Format",
    "FormatError",
    "Html",
    "ProgressCallback",
    "QueryPlan",
    "Restated",
    "Series",
    "Snapshot",
    "TableQuery",
    "Tile",
    "chart_from_rows",
    "explain_query",
    "export",
    "fetch_rows",
    "fetch_table",
    "get_format",
    "open_snapshot",
    "render_html",
    "render_pdf",
]
