"""Encode the content of an email (texts, images, attachments), once for all emails that share it.

Reads attachments that are given as files; writes nothing.
"""

import re
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from pathlib import Path
from typing import NamedTuple, cast

from analytics_worker.errors import PermanentError
from analytics_worker.text import one_line, printable
from analytics_worker.transport.email_headers import disposition_field

MAX_FILE_NAME = 200
BASE64_LINE = 76

# No server has to accept 8-bit bytes.
POLICY = SMTP.clone(cte_type="7bit")


class Attachment(NamedTuple):
    """An attached file; a path is read when the email is sent."""

    filename: str
    data: bytes | Path
    mime_type: str = "application/octet-stream"


class InlineImage(NamedTuple):
    """An image of the HTML part: ``<img src="cid:NAME">``."""

    name: str
    data: bytes
    mime_type: str = "image/png"


class Content(NamedTuple):
    """The part of an email that all recipients share."""

    text: str
    html: str | None
    images: tuple[InlineImage, ...]
    attachments: tuple[Attachment, ...]


def count_parts(content: Content) -> int:
    """Return how many parts `encode` writes, without those that only contain others."""
    html = 0 if content.html is None else 1 + len(content.images)
    return 1 + html + len(content.attachments)


def encode(content: Content) -> bytes:
    """Return the rest of an email, from its MIME headers on; lines end in CRLF.

    Raises:
        PermanentError: an attachment's file can't be read.
    """
    message = EmailMessage(policy=POLICY)
    message.set_content(printable(content.text))
    if content.html is not None:
        _add_html(message, printable(content.html), content.images)
    for attachment in content.attachments:
        _attach(message, attachment)
    return message.as_bytes()


class _Disposition(str):
    """A header that the email package writes unchanged, because it has a name and a `fold`."""

    __slots__ = ()
    name = "Content-Disposition"

    def fold(self, *, policy: EmailPolicy) -> str:  # noqa: ARG002  # part of the protocol
        return str(self)


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    maintype, subtype = _mime_type(attachment.mime_type)
    message.add_attachment(_bytes_of(attachment.data), maintype=maintype, subtype=subtype)
    part = cast("list[EmailMessage]", message.get_payload())[-1]
    del part["Content-Disposition"]
    part["Content-Disposition"] = _Disposition(
        disposition_field("attachment", file_name(attachment.filename))
    )


def file_name(text: str) -> str:
    """Return a file's name without a folder, in characters that every system can save."""
    return re.sub(r'^\.+|[/\\:*?"<>|]', "_", one_line(text, MAX_FILE_NAME)) or "attachment"


def _add_html(message: EmailMessage, html: str, images: tuple[InlineImage, ...]) -> None:
    message.add_alternative(html, subtype="html")
    part = message.get_body(("html",))
    assert part is not None  # noqa: S101  # it was added a line ago
    for image in images:
        maintype, subtype = _mime_type(image.mime_type)
        part.add_related(
            image.data,
            maintype=maintype,
            subtype=subtype,
            cid=f"<{re.sub(r'[^A-Za-z0-9._-]', '_', image.name)}>",
            disposition="inline",
        )


def _mime_type(text: str) -> tuple[str, str]:
    if not re.fullmatch(r"[a-z]+/[A-Za-z0-9.+-]+", text):
        raise PermanentError(
            f"{one_line(text, 80)!r} is not a valid MIME type; expected e.g. text/csv"
        )
    maintype, subtype = text.split("/")
    return maintype, subtype


def _bytes_of(data: bytes | Path) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        return data.read_bytes()
    except OSError as error:
        raise PermanentError(f"attachment {data.name}: {error.strerror}") from None


def encoded_content_size(content: Content) -> int:
    """Return the size of `encode` in bytes, without reading or encoding the attachments."""
    empty = tuple(attachment._replace(data=b"") for attachment in content.attachments)
    payload = sum(_base64_size(_size_of(attachment.data)) for attachment in content.attachments)
    return len(encode(content._replace(attachments=empty))) + payload


def _size_of(data: bytes | Path) -> int:
    return len(data) if isinstance(data, bytes) else data.stat().st_size


def _base64_size(size: int) -> int:
    """Return the size of base64 in lines that end in CRLF."""
    encoded = -(-size // 3) * 4
    return encoded + 2 * -(-encoded // BASE64_LINE)
