"""Compose the email of a report: text, HTML, and whether its files are attached.

Reads the template beside it; writes nothing. If the email with its attachments, base64 included, exceeds
REPORT_MAIL_MAX_MB, it has links in their place and a warning.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from analytics_worker.report_storage.storage import Storage
from analytics_worker.settings import settings
from analytics_worker.text import one_line, printable, value_line
from analytics_worker.transport.email import Email, encoded_size
from analytics_worker.transport.email_content import Attachment, InlineImage
from analytics_worker.trust.stamp import checks
from analytics_worker.user_templates.rendering import render_project_template, shorten_texts
from flows.reports.formats import Document, File, Tile, render_html
from flows.reports.formats.pages.cell_text import size_text
from flows.reports.formats.pages.tiles import tile_texts
from flows.reports.output.files import UnpublishedFile

MAX_TEXT_LENGTH = 4000
_HEADERS_BYTES = 4000  # sender, recipients, and the headers that servers add
MAX_NOTE_LENGTH = 2000


class EmailBody(NamedTuple):
    """The content of an email.

    Attributes:
        document: The page, with a warning if its files are too large to attach.
        text: For clients that show no HTML.
        html: With its images as ``cid:``.
        images: The charts.
        has_files: Whether the files are attached; otherwise the texts have links.
    """

    document: Document
    text: str
    html: str
    images: tuple[InlineImage, ...]
    has_files: bool


def subject_of(document: Document) -> str:
    """Return title and period in one line."""
    return one_line(" – ".join(filter(None, (document.title, document.period))))


def email_body(document: Document, files: Sequence[UnpublishedFile], storage: Storage) -> EmailBody:
    """Compose the texts, with the files attached, or with links if they are too large."""
    body = _body(document, files, None)
    if _size(body, files) <= settings().report_mail_max_mb * 1e6:
        return body
    links = [storage.link(file.stored["name"]) for file in files]
    return _body(_with_size_warning(document), files, links)


def _with_size_warning(document: Document) -> Document:
    limit = f"{settings().report_mail_max_mb:g} MB"
    warning = f"The files are too large for an email (over {limit}); use the links."
    return replace(document, warnings=[*document.warnings, warning])


def _size(body: EmailBody, files: Sequence[UnpublishedFile]) -> int:
    """Return the encoded size with everything attached, in bytes."""
    mail = Email(
        message_id="<size@localhost>",
        sender="size@localhost",
        to=("size@localhost",),
        subject=subject_of(body.document),
        text=body.text,
        html=body.html,
        images=body.images,
        attachments=tuple(
            Attachment(
                file.stored["attach_as"], file.temporary, file.stored["media_type"].split(";")[0]
            )
            for file in files
        ),
    )
    return encoded_size(mail) + _HEADERS_BYTES


def _body(
    document: Document, unpublished: Sequence[UnpublishedFile], links: Sequence[str] | None
) -> EmailBody:
    """Compose the texts with these links, or with attachments if there are none."""
    files = [
        File(
            each.stored["attach_as"],
            each.stored["bytes"],
            each.stored["rows"],
            links[n] if links else None,
        )
        for n, each in enumerate(unpublished)
    ]
    html = render_html(replace(document, files=files))
    return EmailBody(
        document=document,
        text=_text(document, files),
        html=html.email,
        images=tuple(html.images),
        has_files=links is None,
    )


def _text(document: Document, files: Sequence[File]) -> str:
    """Render the text for clients that show no HTML."""
    context = {
        "subject": subject_of(document),
        "description": document.description,
        "data_as_of": document.data_as_of,
        "data_as_of_label": document.data_as_of_label,
        "checks": [each.text for each in checks(document.trust)],
        "owner": document.owner,
        "notes": [
            value_line(note, MAX_NOTE_LENGTH) for note in (*document.warnings, *document.notes)
        ],
        "tiles": [_tile_line(tile) for tile in document.tiles],
        "restated": restated_lines(document),
        "files": [file_text(file) for file in files],
    }
    text = render_project_template(
        _template("email.txt"), shorten_texts(context, MAX_TEXT_LENGTH), html=False
    )
    return printable(text)


def _tile_line(tile: Tile) -> str:
    texts = tile_texts(tile)
    previous = f" ({texts.previous})" if texts.previous else ""
    value = " ".join(filter(None, (texts.value, texts.unit, texts.change)))
    return value_line(f"{texts.title}: {value}{previous}")


def restated_lines(document: Document) -> list[str]:
    """Return a line for each number that earlier reports have and that is different now."""
    return [
        value_line(f"{each.period}: {change}", MAX_NOTE_LENGTH)
        for each in document.restated
        for change in each.changes
    ]


def file_text(file: File) -> str:
    """Return name and size of a file in one line, with its link; each channel shows what it attaches."""
    rows = "" if file.rows is None else "1 row, " if file.rows == 1 else f"{file.rows:,} rows, "
    location = "" if file.url is None else f", at {file.url}"
    return value_line(f"{file.name}: {rows}{size_text(file.size)}{location}", MAX_NOTE_LENGTH)


@lru_cache
def _template(name: str) -> str:
    return (Path(__file__).parent / "templates" / f"{name}.jinja").read_text()
