"""Pages of the sample reports about the warehouse.

Reads the warehouse and the definitions; writes nothing but pictures. It creates no run, file or message.
"""

from datetime import UTC, datetime
from html import escape
from pathlib import Path

import plutoprint as pluto

from flows.reports.definitions import yaml_files
from flows.reports.definitions.model import Report
from flows.reports.formats import Document, open_snapshot
from flows.reports.formats.charts.svg import limit_chart, render_svg
from flows.reports.output.document import report_document
from flows.reports.runs.model import ReportRun
from flows.reports.scheduling.report_periods import last_report_period

_SCALE = 1.0
_CHART_PAGE = """<!doctype html><meta charset="utf-8"><style>
body{margin:0;padding:12px 16px;background:#fff;font:16px 'Segoe UI',Arial,sans-serif} h3{margin:8px 0}
</style>"""


def sample_document(name: str) -> Document:
    """Return the document of a sample report, for its last period."""
    report = yaml_files.find(yaml_files.load(), name)
    now = datetime.now(UTC)
    with open_snapshot(reader=report.reader, timezone=report.timezone) as snapshot:
        return report_document(snapshot, _run(report, now))


def _run(report: Report, now: datetime) -> ReportRun:
    period = last_report_period(report, now)
    return ReportRun(
        id=0,
        name=report.name,
        kind="scheduled",
        period=period.label,
        key="",
        report=report,
        row={},
        start=period.start,
        end=period.end,
        reason=None,
        attempts=0,
        created_at=now,
    )


def chart_page(*documents: Document) -> str:
    """Return a page with the charts of documents."""
    charts = [limit_chart(chart)[0] for document in documents for chart in document.charts]
    return _CHART_PAGE + "".join(f"<h3>{escape(c.title)}</h3>{render_svg(c)[0]}" for c in charts)


def write_printed_page(html: str, path: Path) -> None:
    """Write a picture of the first page of a PDF, by the program that writes it."""
    book = pluto.Book(pluto.PAGE_SIZE_A4, pluto.PAGE_MARGINS_NORMAL, pluto.MEDIA_TYPE_PRINT)
    book.load_html(html)
    size = book.get_page_size_at(0)
    width, height = (round(side / pluto.UNITS_PX * _SCALE) for side in (size.width, size.height))
    canvas = pluto.ImageCanvas(width, height, pluto.IMAGE_FORMAT_RGB24)
    canvas.clear_surface(1, 1, 1, 1)
    canvas.scale(_SCALE / pluto.UNITS_PX, _SCALE / pluto.UNITS_PX)
    book.render_page(canvas, 0)
    canvas.write_to_png(str(path))
