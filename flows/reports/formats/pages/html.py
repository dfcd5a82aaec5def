"""A page from a document: one file for a browser, and one for mail with its images beside it.

Reads its templates; writes nothing but what a child process needs to draw the charts. Rendering the
same document again gives the same page.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analytics_worker.transport.email_content import InlineImage
from flows.reports.formats.charts.geometry import WIDTH
from flows.reports.formats.charts.svg import alternative, legend, shortened, svg
from flows.reports.formats.pages import pdf_process
from flows.reports.formats.pages.cell_text import LONGEST_TEXT, cells, heading, size_text
from flows.reports.formats.pages.document import Chart, Document, File
from flows.reports.formats.pages.page_templates import rendered
from flows.reports.formats.pages.tiles import Shown, shown
from flows.reports.formats.query.columns import DAYS, NUMBERS
from flows.reports.formats.query.fetch import Found

TILES_IN_A_ROW = 4
_TILE_EDGES = 32  # pixels
_SMALLEST_FIGURE, _GREATEST_FIGURE = 13, 24
_CHARACTER = 0.57  # width of an average digit for each pixel of size
MANY_COLUMNS = 7
"""From here on a printed page lies on its side."""


@dataclass(frozen=True)
class Html:
    """A page.

    Attributes:
        text: For a browser and for PDF: everything is in this one file.
        mail: The same for mail; its images are `images`, named by ``cid:``.
    """

    title: str
    text: str
    mail: str
    images: tuple[InlineImage, ...]


def render_html(document: Document) -> Html:
    """Draw the page of a document.

    Raises:
        FormatError: its charts can't be drawn.
    """
    pairs = [shortened(chart) for chart in document.charts]
    charts = [chart for chart, _ in pairs]
    tables = [_table(found) for found in document.tables]
    notes = [*(note for _, left_out in pairs for note in left_out), *document.notes]
    if any(table["long"] for table in tables):
        notes.append(
            f"Texts of more than {LONGEST_TEXT} characters are shortened, marked by \u2026"
        )
    context = {
        "document": document,
        "tiles": [(row, _figure_size(row)) for row in _in_rows(list(map(shown, document.tiles)))],
        "tables": tables,
        "files": [_file(file) for file in document.files],
        "notes": notes,
        "wide": any(len(found.columns) > MANY_COLUMNS for found in document.tables),
    }
    drawn = [svg(chart) for chart in charts]
    data = [_data_url(text) for text, _ in drawn]
    cids = [f"chart-{number}" for number, _ in enumerate(charts, 1)]
    pngs = pdf_process.pngs([(text, WIDTH, height) for text, height in drawn])
    return Html(
        document.title,
        rendered("page.html", {**context, "mail": False, "charts": _pictures(charts, data)}),
        rendered(
            "page.html",
            {**context, "mail": True, "charts": _pictures(charts, [f"cid:{cid}" for cid in cids])},
        ),
        tuple(InlineImage(f"{cid}", png) for cid, png in zip(cids, pngs, strict=True)),
    )


def render_pdf(
    html: Html,
    path: Path,
    *,
    memory_limit_bytes: int = pdf_process.MEMORY_LIMIT_BYTES,
    timeout_seconds: float = pdf_process.TIMEOUT_SECONDS,
) -> None:
    """Print a page to a file, in a child process that loads nothing.

    Raises:
        FormatError: it needs more memory or time than it may have.
        OSError: the file can't be written.
    """
    pdf_process.pdf(html.text, html.title, path, memory_limit_bytes, timeout_seconds)


def _in_rows(tiles: Sequence[Shown]) -> list[list[Shown]]:
    """Rows of the same length, as far as that goes: five tiles are three and two."""
    rows = -(-len(tiles) // TILES_IN_A_ROW)
    length = -(-len(tiles) // rows) if rows else 0
    return [list(tiles[at : at + length]) for at in range(0, len(tiles), length or 1)]


def _figure_size(row: Sequence[Shown]) -> int:
    """Pixels, the same for all numbers of a row, so that the longest one fits."""
    room = WIDTH / len(row) - _TILE_EDGES
    longest = max(len(tile.value) for tile in row)
    return max(_SMALLEST_FIGURE, min(_GREATEST_FIGURE, int(room / longest / _CHARACTER)))


def _table(found: Found) -> dict[str, Any]:
    rows, long = cells(found)
    return {
        "title": found.title,
        "columns": [(heading(c.name), c.kind in NUMBERS, c.kind in DAYS) for c in found.columns],
        "rows": rows,
        "truncated": found.truncated,
        "long": long,
    }


def _pictures(charts: Sequence[Chart], sources: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "title": c.title,
            "unit": c.unit,
            "source": s,
            "alt": alternative(c),
            "legend": legend(c),
            "width": WIDTH,
        }
        for c, s in zip(charts, sources, strict=True)
    ]


def _data_url(svg_text: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg_text.encode()).decode()


def _file(file: File) -> dict[str, Any]:
    web = file.url is not None and file.url.startswith(("https://", "http://"))
    return {
        "name": file.name,
        "size": size_text(file.size),
        "rows": file.rows,
        "url": file.url,
        "web": web,
    }
