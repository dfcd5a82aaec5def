"""A mail and its exact bytes.

Reads attachments that are given as files; writes nothing. The head (who, what, when) is made for each
mail, the content (texts, images, attachments) once for all mails that share it.
No header can be injected: addresses and names with line breaks are refused, subjects become one line.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import idna

from toolkit.delivery import one_line
from toolkit.errors import PermanentError

MAX_SUBJECT = 300
BASE64_LINE = 76

# No server has to take 8-bit bytes.
POLICY = SMTP.clone(cte_type="7bit")

_ADDRESS = re.compile(
    r'(?P<local>[^\s@<>()\[\],;:\\"]{1,64})@(?P<domain>[^\s@<>()\[\],;:\\"]{1,255})'
)
_NAMED = re.compile(r'\s*(?:"?(?P<name>[^<>]*?)"?\s*<(?P<spec>[^<>]+)>|(?P<bare>[^<>\s]+))\s*')
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,200}@[!-;=?-~]{1,200}>")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")


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
    date: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody who is to get it."""
        return (*self.to, *self.cc, *self.bcc)

    @property
    def content(self) -> Content:
        """What does not depend on the recipient."""
        return Content(self.text, self.html, self.images, self.attachments)


def parse_address(text: str) -> Address:
    """An address, with or without a name; international domains become ASCII.

    Raises:
        PermanentError: it is none, or it holds a line break.
    """
    found = None if _CONTROL.search(text) else _NAMED.fullmatch(text)
    spec = _ADDRESS.fullmatch((found["spec"] or found["bare"]).strip()) if found else None
    if not found or not spec:
        raise PermanentError(f"not a mail address: {one_line(text, 80)!r}")
    try:
        domain = idna.encode(spec["domain"], uts46=True).decode()
    except idna.IDNAError:
        raise PermanentError(f"not a mail domain: {one_line(spec['domain'], 80)!r}") from None
    return Address(display_name=found["name"] or "", username=spec["local"], domain=domain)


def head(mail: Mail, *, utf8: bool = False) -> bytes:
    """The header lines of a mail, without those that describe its content.

    Raises:
        PermanentError: an address or the Message-ID can't be used.
    """
    own = f"Message-ID: {_message_id(mail.message_id)}\r\n".encode()
    return own + _shared_head(
        mail.date, mail.sender, mail.to, mail.cc, mail.subject, mail.thread, utf8
    )


@lru_cache(maxsize=4)
def _shared_head(
    date: datetime,
    sender: str,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    subject: str,
    thread: str | None,
    utf8: bool,
) -> bytes:
    """All but the Message-ID. Cached: a report to 200 people names all of them in each of 200 mails."""
    message = EmailMessage(policy=POLICY.clone(utf8=utf8))
    message["Date"] = date
    message["From"] = parse_address(sender)
    message["To"] = tuple(map(parse_address, to)) or "undisclosed-recipients:;"
    if cc:
        message["Cc"] = tuple(map(parse_address, cc))
    message["Subject"] = one_line(subject, MAX_SUBJECT)
    if thread:
        message["In-Reply-To"] = message["References"] = _message_id(thread)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's vacation notice answers it
    message["X-Auto-Response-Suppress"] = "All"  # the same for Exchange
    return message.as_bytes().removesuffix(b"\r\n")


def _message_id(text: str) -> str:
    if not _MESSAGE_ID.fullmatch(text):
        raise PermanentError(f"not a Message-ID, expected <name@domain>: {one_line(text, 80)!r}")
    return text


def encode(content: Content) -> bytes:
    """The rest of a mail, from its MIME headers on; lines end in CRLF.

    Raises:
        PermanentError: an attachment's file can't be read.
    """
    message = EmailMessage(policy=POLICY)
    message.set_content(_encodable(content.text))
    if content.html is not None:
        _add_html(message, _encodable(content.html), content.images)
    for attachment in content.attachments:
        maintype, subtype = _mime_type(attachment.mime_type)
        message.add_attachment(
            _bytes_of(attachment.data),
            maintype=maintype,
            subtype=subtype,
            filename=_CONTROL.sub("_", _encodable(attachment.filename)),
        )
    return message.as_bytes()


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


def _encodable(text: str) -> str:
    """Text that UTF-8 can carry: a lone surrogate from a broken source becomes a question mark."""
    return text.encode(errors="replace").decode()


def _mime_type(text: str) -> tuple[str, str]:
    if not re.fullmatch(r"[a-z]+/[A-Za-z0-9.+-]+", text):
        raise PermanentError(f"not a MIME type: {one_line(text, 80)!r}")
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
