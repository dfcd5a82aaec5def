"""``make images``: render the images of reports in the README from the sample warehouse.

Reads the database of the settings (that of a running `make up`) and definitions/reports.yml; writes
docs/images/. It creates no run, file or message.
"""

from datetime import UTC, datetime
from pathlib import Path

import plutoprint as pluto
import typer

from analytics_worker.settings import project_root
from flows.reports.definitions import yaml_files as report_files
from flows.reports.definitions.model import Report
from flows.reports.formats import Html, open_snapshot, render_html
from flows.reports.output.document import report_document
from flows.reports.runs.model import ReportRun
from flows.reports.scheduling.report_periods import last_report_period

WIDTHS = {"report": 676, "report-phone": 390}
PAGE_HEIGHT = 6000
IMAGE_HEIGHT = 1250
"""Pixels from the top; below is only more of the same table."""


def main() -> None:
    """Render the daily report as it looks on a wide screen and on a phone."""
    folder = project_root() / "docs" / "images"
    folder.mkdir(exist_ok=True)
    html = _html(report_files.find(report_files.load(), "daily-pipeline"))
    for name, width in WIDTHS.items():
        _render(html, width, folder / f"{name}.png")
        typer.echo(f"docs/images/{name}.png")


def _html(report: Report) -> Html:
    now = datetime.now(UTC)
    period = last_report_period(report, now)
    run = ReportRun(
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
    with open_snapshot(reader=report.reader, timezone=report.timezone) as snapshot:
        return render_html(report_document(snapshot, run, now))


def _render(html: Html, width: int, path: Path) -> None:
    size = pluto.PageSize(width * pluto.UNITS_PX, PAGE_HEIGHT * pluto.UNITS_PX)
    book = pluto.Book(size, pluto.PAGE_MARGINS_NONE, pluto.MEDIA_TYPE_SCREEN)
    book.load_html(html.text)
    canvas = pluto.ImageCanvas(width, IMAGE_HEIGHT, pluto.IMAGE_FORMAT_RGB24)
    canvas.clear_surface(1, 1, 1, 1)
    book.render_page(canvas, 0)
    canvas.write_to_png(path)


if __name__ == "__main__":
    main()
