"""``make images``: the reports' pictures in the README, drawn from the sample warehouse.

Reads the database that the settings name (that of a running `make up`) and definitions/reports.yml;
writes docs/images/. No run, no file and no mail comes of it.
"""

from datetime import UTC, datetime
from pathlib import Path

import plutoprint as pluto
import typer

from analytics_worker.settings import project_root
from flows.reports.definitions import yaml_files as report_files
from flows.reports.definitions.model import Report
from flows.reports.formats import Html, render_html, snapshot
from flows.reports.output.document import page
from flows.reports.runs.requests import kind_of, period_of
from flows.reports.runs.store import Run

WIDTHS = {"report": 676, "report-phone": 390}
TALLEST = 6000
SHOWN = 1250
"""Pixels from the top; the rest is more of the same table."""


def main() -> None:
    """Draw the daily report as a wide screen and as a phone show it."""
    folder = project_root() / "docs" / "images"
    folder.mkdir(exist_ok=True)
    html = _html(report_files.find(report_files.load(), "daily-pipeline"))
    for name, width in WIDTHS.items():
        _draw(html, width, folder / f"{name}.png")
        typer.echo(f"docs/images/{name}.png")


def _html(report: Report) -> Html:
    now = datetime.now(UTC)
    period = period_of(report, now)
    run = Run(
        id=0,
        name=report.name,
        kind=kind_of(report),
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
    with snapshot(reader=report.reader, timezone=report.timezone) as moment:
        return render_html(page(moment, run, now))


def _draw(html: Html, width: int, path: Path) -> None:
    size = pluto.PageSize(width * pluto.UNITS_PX, TALLEST * pluto.UNITS_PX)
    book = pluto.Book(size, pluto.PAGE_MARGINS_NONE, pluto.MEDIA_TYPE_SCREEN)
    book.load_html(html.text)
    canvas = pluto.ImageCanvas(width, SHOWN, pluto.IMAGE_FORMAT_RGB24)
    canvas.clear_surface(1, 1, 1, 1)
    book.render_page(canvas, 0)
    canvas.write_to_png(path)


if __name__ == "__main__":
    main()
