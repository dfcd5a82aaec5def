"""The email of a report: text, HTML, and whether its files fit in it.

Reads the template beside it; writes nothing. An email that would be over REPORT_MAIL_MAX_MB as it is
sent, base64 included, has links in place of its attachments and says so.
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
from analytics_worker.user_templates.rendering import render_project_template, shorten_texts
from flows.reports.formats import Document, File, Tile, render_html
from flows.reports.formats.pages.cell_text import size_text
from flows.reports.formats.pages.tiles import shown
from flows.reports.output.files import Draft

LONGEST_TEXT = 4000
_HEADERS_BYTES = 4000  # sender, recipients and what servers on the way add
MAX_NOTE = 2000


class EmailBody(NamedTuple):
    """What an email says.

    Attributes:
        document: The page, with a warning if its files are too large to be attached.
        text: For clients that show no HTML.
        html: With the pictures as ``cid:``.
        images: Those pictures.
        has_files: Whether the files are attached; otherwise the texts have links.
    """

    document: Document
    text: str
    html: str
    images: tuple[InlineImage, ...]
    has_files: bool


def subject_of(document: Document) -> str:
    """Title and period, in one line."""
    return one_line(" – ".join(filter(None, (document.title, document.period))))


def email_body(document: Document, drafts: Sequence[Draft], storage: Storage) -> EmailBody:
    """The texts, with the files attached, or with links to them if they are too large."""
    body = _body(document, drafts, None)
    if _size(body, drafts) <= settings().report_mail_max_mb * 1e6:
        return body
    links = [storage.link(draft.file["name"]) for draft in drafts]
    return _body(_with_size_warning(document), drafts, links)


def _with_size_warning(document: Document) -> Document:
    limit = f"{settings().report_mail_max_mb:g} MB"
    warning = f"The files are too large for a mail (over {limit}); the links lead to them."
    return replace(document, warnings=[*document.warnings, warning])


def _size(body: EmailBody, drafts: Sequence[Draft]) -> int:
    """Bytes on the wire with everything attached."""
    sent = Email(
        message_id="<size@localhost>",
        sender="size@localhost",
        to=("size@localhost",),
        subject=subject_of(body.document),
        text=body.text,
        html=body.html,
        images=body.images,
        attachments=tuple(
            Attachment(d.file["attach_as"], d.temporary, d.file["media_type"].split(";")[0])
            for d in drafts
        ),
    )
    return encoded_size(sent) + _HEADERS_BYTES


def _body(document: Document, drafts: Sequence[Draft], links: Sequence[str] | None) -> EmailBody:
    """With links, or else with attachments."""
    files = [
        File(d.file["attach_as"], d.file["bytes"], d.file["rows"], links[n] if links else None)
        for n, d in enumerate(drafts)
    ]
    html = render_html(replace(document, files=files))
    return EmailBody(
        document=document,
        text=_text(document, files),
        html=html.mail,
        images=tuple(html.images),
        has_files=links is None,
    )


def _text(document: Document, files: Sequence[File]) -> str:
    """For clients that show no HTML."""
    context = {
        "subject": subject_of(document),
        "description": document.description,
        "data_as_of": document.data_as_of,
        "owner": document.owner,
        "notes": [value_line(note, MAX_NOTE) for note in (*document.warnings, *document.notes)],
        "tiles": [_tile_text(tile) for tile in document.tiles],
        "files": [file_text(file) for file in files],
    }
    text = render_project_template(
        _template("mail.txt"), shorten_texts(context, LONGEST_TEXT), html=False
    )
    return printable(text)


def _tile_text(tile: Tile) -> str:
    words = shown(tile)
    before = f" ({words.before})" if words.before else ""
    value = " ".join(filter(None, (words.value, words.unit, words.change)))
    return value_line(f"{words.title}: {value}{before}")


def file_text(file: File) -> str:
    """Name, size and whereabouts of a file, in one line."""
    rows = "" if file.rows is None else "1 row, " if file.rows == 1 else f"{file.rows:,} rows, "
    where = "attached" if file.url is None else f"at {file.url}"
    return value_line(f"{file.name}: {rows}{size_text(file.size)}, {where}", MAX_NOTE)


@lru_cache
def _template(name: str) -> str:
    return (Path(__file__).parent / "templates" / f"{name}.jinja").read_text()
