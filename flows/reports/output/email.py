"""The mail of a report: subject, text, HTML, and which files come with it.

Reads the template beside it; writes nothing. A mail that would be over REPORT_MAIL_MAX_MB as it is
sent, base64 included, has links in place of its attachments and says so.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from analytics_worker.text import one_line, printable, value_line
from analytics_worker.transport.mail import Attachment, InlineImage, Mail, encoded_size
from analytics_worker.user_templates.rendering import render_own, shortened
from flows.reports.formats import Document, File, Tile, render_html
from flows.reports.formats.pages.cell_text import size_text
from flows.reports.formats.pages.tiles import shown
from flows.reports.output.files import Draft
from flows.reports.output.storage import Storage

LONGEST_TEXT = 4000
_HEADERS_BYTES = 4000  # sender, recipients and what servers on the way add
MAX_NOTE = 2000


@dataclass(frozen=True)
class _Body:
    """What a mail says."""

    text: str
    html: str
    images: tuple[InlineImage, ...]


def mail(document: Document, drafts: Sequence[Draft], place: Storage) -> Any:
    """What is stored for the mails of a run, whose files have no names yet."""
    subject = one_line(" – ".join(filter(None, (document.title, document.period))))
    links = [place.link(draft.file["name"]) for draft in drafts]
    body = _body(document, subject, drafts, None)
    fits = _size(body, subject, drafts) <= settings().report_mail_max_mb * 1e6
    if not fits:
        body = _body(_without_attachments(document), subject, drafts, links)
    return {
        "subject": subject,
        "text": body.text,
        "html": body.html,
        "images": [
            {
                "name": image.name,
                "mime_type": image.mime_type,
                "data": base64.b64encode(image.data).decode(),
            }
            for image in body.images
        ],
        "attach": [draft.file["name"] for draft in drafts] if fits else [],
        "links": links,
    }


def _without_attachments(document: Document) -> Document:
    limit = f"{settings().report_mail_max_mb:g} MB"
    said = f"The files are too large for a mail (over {limit}); the links lead to them."
    return replace(document, warnings=[*document.warnings, said])


def _size(body: _Body, subject: str, drafts: Sequence[Draft]) -> int:
    """Bytes on the wire with everything attached."""
    sent = Mail(
        message_id="<size@localhost>",
        sender="size@localhost",
        to=("size@localhost",),
        subject=subject,
        text=body.text,
        html=body.html,
        images=body.images,
        attachments=tuple(
            Attachment(d.file["attach_as"], d.temporary, d.file["media_type"].split(";")[0])
            for d in drafts
        ),
    )
    return encoded_size(sent) + _HEADERS_BYTES


def _body(
    document: Document, subject: str, drafts: Sequence[Draft], links: Sequence[str] | None
) -> _Body:
    """With links, or else with attachments."""
    files = [
        File(d.file["attach_as"], d.file["bytes"], d.file["rows"], links[n] if links else None)
        for n, d in enumerate(drafts)
    ]
    html = render_html(replace(document, files=files))
    return _Body(_text(document, subject, files), html.mail, tuple(html.images))


def _text(document: Document, subject: str, files: Sequence[File]) -> str:
    """For clients that show no HTML."""
    context = {
        "subject": subject,
        "description": document.description,
        "data_as_of": document.data_as_of,
        "owner": document.owner,
        "notes": [value_line(note, MAX_NOTE) for note in (*document.warnings, *document.notes)],
        "tiles": [_tile_text(tile) for tile in document.tiles],
        "files": [_file_text(file) for file in files],
    }
    text = render_own(_template("mail.txt"), shortened(context, LONGEST_TEXT), html=False)
    return printable(text)


def _tile_text(tile: Tile) -> str:
    words = shown(tile)
    before = f" ({words.before})" if words.before else ""
    value = " ".join(filter(None, (words.value, words.unit, words.change)))
    return value_line(f"{words.title}: {value}{before}")


def _file_text(file: File) -> str:
    rows = "" if file.rows is None else "1 row, " if file.rows == 1 else f"{file.rows:,} rows, "
    where = "attached" if file.url is None else f"at {file.url}"
    return value_line(f"{file.name}: {rows}{size_text(file.size)}, {where}", MAX_NOTE)


@lru_cache
def _template(name: str) -> str:
    return (Path(__file__).parent / "templates" / f"{name}.jinja").read_text()


def mail_sender() -> str:
    """From whom reports come.

    Raises:
        PermanentError: the settings don't say.
    """
    sender = settings().alert_email_from or settings().alert_email_user
    if sender is None:
        raise PermanentError("Reports have no sender: set ALERT_EMAIL_FROM.")
    return sender
