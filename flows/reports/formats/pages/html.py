"""Render a document as HTML: one file for a browser, and one for email with separate images.

Reads its templates; writes only what the process that draws the charts needs. Rendering the same document
again gives the same page.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analytics_worker.transport.email_content import InlineImage
from analytics_worker.trust.stamp import checks
from flows.reports.formats.charts.drawing import WIDTH
from flows.reports.formats.charts.svg import (
    alt_text,
    incomplete_note,
    legend,
    limit_chart,
    render_svg,
)
from flows.reports.formats.pages import pdf_process
from flows.reports.formats.pages.cell_text import MAX_TEXT_LENGTH, size_text
from flows.reports.formats.pages.document import Chart, Document, File, with_printable_titles
from flows.reports.formats.pages.font_notes import font_note
from flows.reports.formats.pages.page_templates import render_template
from flows.reports.formats.pages.tables import EMAIL, LANDSCAPE, PORTRAIT, TableTexts
from flows.reports.formats.pages.tiles import TileTexts, tile_texts
from flows.reports.formats.text_width import fitting_text

MAX_TILES_PER_ROW = 4
_TILE_PADDING = 32  # pixels
_MIN_FIGURE, _MAX_FIGURE = 13, 24
_CHARACTER_WIDTH = 0.57  # width of an average digit for each pixel of size


@dataclass(frozen=True)
class Html:
    """A page.

    Attributes:
        text: For a browser and for PDF, with everything in one file.
        email: The same for email, with `images` referred to by ``cid:``.
        omitted: Sentences about tables of which the page lacks columns.
    """

    title: str
    text: str
    email: str
    images: tuple[InlineImage, ...]
    omitted: tuple[str, ...] = ()


def render_html(document: Document, *, for_pdf: bool = False) -> Html:
    """Render the page of a document; ``for_pdf`` notes which characters a PDF of it will lack.

    Raises:
        FormatError: its charts can't be drawn.
    """
    document = with_printable_titles(document)
    pairs = [limit_chart(chart) for chart in document.charts]
    charts = [chart for chart, _ in pairs]
    tables = [TableTexts(fetched) for fetched in document.tables]
    notes = [note for _, notes in pairs for note in notes]
    context = _context(document, tables, [*notes, *_font_notes(document, tables, for_pdf=for_pdf)])
    svgs = [render_svg(chart) for chart in charts]
    data_urls = [_data_url(svg) for svg, _ in svgs]
    cids = [f"chart-{number}" for number, _ in enumerate(charts, 1)]
    cid_urls = [f"cid:{cid}" for cid in cids]
    pngs = pdf_process.render_pngs([(svg, WIDTH, height) for svg, height in svgs])
    in_page: dict[str, Any] = {
        **_page_tables(document, tables),
        "charts": _images(charts, data_urls),
    }
    in_email = {**_email_tables(document, tables), "charts": _images(charts, cid_urls)}
    return Html(
        document.title,
        render_template("page.html", {**context, **in_page}),
        render_template("page.html", {**context, **in_email}),
        tuple(InlineImage(cid, png) for cid, png in zip(cids, pngs, strict=True)),
        tuple(f"{each.title}: {each.omitted}" for each in in_page["tables"] if each.omitted),
    )


def _page_tables(document: Document, tables: Sequence[TableTexts]) -> dict[str, Any]:
    """Return the tables in blocks that fit in the width of a printed page."""
    is_wide = not all(table.fits(PORTRAIT) for table in tables)
    target = LANDSCAPE if is_wide else PORTRAIT
    shown = [table.shown(target, document.files) for table in tables]
    margin_title = fitting_text(" ".join(document.title.split()), 72 if is_wide else 45)
    return {"is_email": False, "wide": is_wide, "tables": shown, "margin_title": margin_title}


def _email_tables(document: Document, tables: Sequence[TableTexts]) -> dict[str, Any]:
    """Return the tables in blocks that fit in an email, whose clients do not scroll."""
    shown = [table.shown(EMAIL, document.files) for table in tables]
    return {"is_email": True, "wide": False, "tables": shown}


def _font_notes(
    document: Document, tables: Sequence[TableTexts], *, for_pdf: bool
) -> Iterator[str]:
    """Yield a note if charts, or the PDF, have characters that no font has."""
    texts = [label for chart in document.charts for label in chart.labels]
    if for_pdf:
        texts += [document.title, document.description, *document.notes, *document.warnings]
        texts += [each.text for each in checks(document.trust)]
        texts += [part.title for part in (*document.tiles, *document.charts)]
        texts += [text for table in tables for text in table.all_texts()]
        texts += [text for each in document.restated for text in each.changes]
    note = font_note(texts, "The PDF and charts show" if for_pdf else "Charts show")
    if note:
        yield note


def _context(
    document: Document, tables: Sequence[TableTexts], chart_notes: Sequence[str]
) -> dict[str, Any]:
    tile_rows = _tile_rows([tile_texts(tile) for tile in document.tiles])
    notes = [*chart_notes, *document.notes]
    if any(table.shortened for table in tables):
        notes.append(
            f"Texts of more than {MAX_TEXT_LENGTH} characters are shortened, marked by \u2026"
        )
    return {
        "document": document,
        "checks": checks(document.trust),
        "tiles": [(row, _figure_size(row)) for row in tile_rows],
        "min_size": _MIN_FIGURE,
        "files": [_file(file) for file in document.files],
        "notes": notes,
    }


def render_pdf(
    html: Html,
    path: Path,
    *,
    memory_limit_bytes: int = pdf_process.MEMORY_LIMIT_BYTES,
    timeout_seconds: float = pdf_process.TIMEOUT_SECONDS,
) -> None:
    """Write a page as PDF, in a child process that loads nothing else.

    Raises:
        FormatError: it exceeds the limit of memory or time.
        OSError: the file can't be written.
    """
    pdf_process.write_pdf(html.text, html.title, path, memory_limit_bytes, timeout_seconds)


def _tile_rows(tiles: Sequence[TileTexts]) -> list[list[TileTexts]]:
    """Distribute tiles over rows of similar length: five become three and two."""
    rows = -(-len(tiles) // MAX_TILES_PER_ROW)
    length = -(-len(tiles) // rows) if rows else 0
    return [list(tiles[start : start + length]) for start in range(0, len(tiles), length or 1)]


def _figure_size(row: Sequence[TileTexts]) -> int:
    """Return the size of the numbers in a row in pixels, so that the longest one fits."""
    width = WIDTH / len(row) - _TILE_PADDING
    longest = max(len(tile.value) for tile in row)
    return max(_MIN_FIGURE, min(_MAX_FIGURE, int(width / longest / _CHARACTER_WIDTH)))


def _images(charts: Sequence[Chart], sources: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "title": c.title,
            "unit": c.unit,
            "source": s,
            "alt": alt_text(c),
            "legend": legend(c),
            "incomplete": incomplete_note(c),
            "width": WIDTH,
        }
        for c, s in zip(charts, sources, strict=True)
    ]


def _data_url(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _file(file: File) -> dict[str, Any]:
    web = file.url is not None and file.url.startswith(("https://", "http://"))
    return {
        "name": file.name,
        "size": size_text(file.size),
        "rows": file.rows,
        "url": file.url,
        "web": web,
    }
