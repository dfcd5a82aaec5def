"""``make images``: write the pictures of messages and reports from the warehouse of a running `make up`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from analytics_worker.delivery.message import Content
from analytics_worker.documentation.images.alerts import alert_messages
from analytics_worker.documentation.images.browser import chromium, small_png, take_picture
from analytics_worker.documentation.images.chats import slack_page, teams_page
from analytics_worker.documentation.images.reports import (
    chart_page,
    sample_document,
    write_printed_page,
)
from analytics_worker.errors import PermanentError
from analytics_worker.settings import project_root
from flows.reports.formats import render_html

WIDE, PHONE, CHAT = 676, 390, 640
DAILY, MONTHLY = "daily-pipeline", "monthly-revenue"


def main() -> None:
    """Write all pictures, or exit with the reason."""
    folder = project_root() / "docs" / "images"
    try:
        chromium()
        _write_messages(folder, alert_messages())
        _write_reports(folder)
    except PermanentError as error:
        sys.exit(f"Error: {error}")


def _write_messages(folder: Path, messages: Sequence[Content]) -> None:
    page = _email_page(messages[0])
    _picture(folder, "email", page, WIDE)
    _picture(folder, "email-phone", page, PHONE)
    _picture(folder, "email-dark", page, WIDE, dark=True)
    _picture(folder, "email-keys", _email_page(messages[1]), WIDE)
    _picture(folder, "slack", slack_page(messages), CHAT)
    _picture(folder, "teams", teams_page(messages), CHAT)


def _email_page(message: Content) -> str:
    page = message.html or ""
    for image in message.images:
        page = page.replace(f"cid:{image.name}", f"data:{image.media_type};base64,{image.data}")
    return page


def _write_reports(folder: Path) -> None:
    daily, monthly = sample_document(DAILY), sample_document(MONTHLY)
    page = render_html(daily).text
    _picture(folder, "report", page, WIDE)
    _picture(folder, "report-phone", page, PHONE)
    _picture(folder, "report-dark", page, WIDE, dark=True)
    _picture(folder, "charts", chart_page(daily, monthly), CHAT)
    path = folder / "report-pdf.png"
    write_printed_page(render_html(monthly).text, path)
    path.write_bytes(small_png(path.read_bytes()))
    _print(path)


def _picture(folder: Path, name: str, page: str, width: int, *, dark: bool = False) -> None:
    path = folder / f"{name}.png"
    take_picture(page, path, width, dark=dark)
    _print(path)


def _print(path: Path) -> None:
    print(f"docs/images/{path.name}: {path.stat().st_size:,} bytes")  # noqa: T201  # a command


if __name__ == "__main__":
    main()
