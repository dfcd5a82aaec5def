"""A mail and its exact bytes.

Reads attachments that are given as files; writes nothing. The head (who, what, when) is made for each
mail, the content (texts, images, attachments) once for all mails that share it.
No header can be injected: `analytics_worker.transport.mail_headers` writes every field with text in it, addresses are
checked, and the finished bytes are checked once more (`analytics_worker.transport.mail_check`).
"""

import re
from dataclasses import dataclass
from dataclasses import field as default_field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from analytics_worker.errors import PermanentError
from analytics_worker.text import one_line, printable
from analytics_worker.transport.mail_address import parse_address
from analytics_worker.transport.mail_headers import (
    address_field,
    disposition_field,
    field,
    text_field,
)

MAX_SUBJECT = 300
MAX_FILE_NAME = 200
BASE64_LINE = 76

# No server has to take 8-bit bytes.
POLICY = SMTP.clone(cte_type="7bit")

_MESSAGE_ID = re.compile(r"<(?!.*=\?)[!-;=?-~]{1,200}@[!-;=?-~]{1,200}>")
_THREAD_FIELDS = ("In-Reply-To", "References")
_FIXED_FIELDS = {
    "Auto-Submitted": "auto-generated",  # RFC 3834: nobody's vacation notice answers it
    "X-Auto-Response-Suppress": "All",  # the same for Exchange
}


class Attachment(NamedTuple):
    """A file that comes with a mail; a path is read when the mail is sent."""

    filename: str
    data: bytes | Path
    mime_type: str = "application/octet-stream"


class InlineImage(NamedTuple):
    """An image of the HTML part: ``<img src="cid:NAME">``."""

    name: str
    data: bytes
    mime_type: str = "image/png"


class Content(NamedTuple):
    """What mails to many recipients share."""

    text: str
    html: str | None
    images: tuple[InlineImage, ...]
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True)
class Mail:
    """One mail. Addresses are ``ann@example.com`` or ``Ann Lee <ann@example.com>``.

    ``bcc`` is in no header: it documents who else gets it. ``thread`` is the Message-ID of the mail
    that this one belongs to.
    """

    message_id: str
    sender: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str | None = None
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    images: tuple[InlineImage, ...] = ()
    thread: str | None = None
    date: datetime = default_field(default_factory=lambda: datetime.now(UTC))

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody who is to get it."""
        return (*self.to, *self.cc, *self.bcc)

    @property
    def content(self) -> Content:
        """What all recipients get."""
        return Content(self.text, self.html, self.images, self.attachments)


def head(mail: Mail, *, utf8: bool = False) -> bytes:
    """The header lines of a mail, without those that describe its content.

    Raises:
        PermanentError: an address or the Message-ID can't be used.
    """
    own = field("Message-ID", [_message_id(mail.message_id)])
    shared = _shared_head(mail.date, mail.sender, mail.to, mail.cc, mail.subject, mail.thread, utf8)
    return f"{own}{shared}".encode()


def head_fields(mail: Mail) -> list[str]:
    """The names of the fields that `head` has, in order."""
    return [
        *("Message-ID", "Date", "From", "To"),
        *(["Cc"] if mail.cc else []),
        "Subject",
        *(_THREAD_FIELDS if mail.thread else ()),
        *_FIXED_FIELDS,
    ]


def leaves(content: Content) -> int:
    """How many parts `encode` writes, without those that only hold others."""
    html = 0 if content.html is None else 1 + len(content.images)
    return 1 + html + len(content.attachments)


@lru_cache(maxsize=4)
def _shared_head(
    date: datetime,
    sender: str,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    subject: str,
    thread: str | None,
    utf8: bool,
) -> str:
    """All but the Message-ID. Cached: a report to 200 people names all of them in each of 200 mails."""
    fields = [
        field("Date", [format_datetime(date)]),
        _addresses("From", (sender,), utf8),
        _addresses("To", to, utf8) if to else field("To", ["undisclosed-recipients:;"]),
        _addresses("Cc", cc, utf8) if cc else "",
        text_field("Subject", one_line(subject, MAX_SUBJECT)),
    ]
    if thread:
        fields += [field(name, [_message_id(thread)]) for name in _THREAD_FIELDS]
    fields += [field(name, [value]) for name, value in _FIXED_FIELDS.items()]
    return "".join(fields)


def _addresses(name: str, texts: tuple[str, ...], utf8: bool) -> str:
    parsed = map(parse_address, texts)
    mailboxes = [(each.display_name, each.addr_spec) for each in parsed]
    return address_field(name, mailboxes, utf8=utf8)


def _message_id(text: str) -> str:
    if not _MESSAGE_ID.fullmatch(text):
        raise PermanentError(f"{one_line(text, 80)!r} is not a valid Message-ID; expected <a@b>")
    return text


def encode(content: Content) -> bytes:
    """The rest of a mail, from its MIME headers on; lines end in CRLF.

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
    """A header that the email package writes as it is, because it has a name and a `fold`."""

    __slots__ = ()
    name = "Content-Disposition"

    def fold(self, *, policy: EmailPolicy) -> str:  # noqa: ARG002  # part of the protocol
        return str(self)


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    maintype, subtype = _mime_type(attachment.mime_type)
    message.add_attachment(_bytes_of(attachment.data), maintype=maintype, subtype=subtype)
    *_, part = message.iter_attachments()
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


def encoded_size(mail: Mail) -> int:
    """Bytes of the whole mail as it will be sent, without reading or encoding the attachments."""
    empty = tuple(attachment._replace(data=b"") for attachment in mail.attachments)
    content = mail.content._replace(attachments=empty)
    payload = sum(_base64_size(_size_of(attachment.data)) for attachment in mail.attachments)
    return len(head(mail)) + len(encode(content)) + payload


def _size_of(data: bytes | Path) -> int:
    return len(data) if isinstance(data, bytes) else data.stat().st_size


def _base64_size(size: int) -> int:
    """Bytes of base64 in lines that end in CRLF."""
    encoded = -(-size // 3) * 4
    return encoded + 2 * -(-encoded // BASE64_LINE)
