"""Define an email, and write its headers.

Reads nothing, writes nothing. Headers are written for each email, the content (`email_content`) once for
all emails that share it. No header can be injected: `email_headers` writes every field with text in it,
addresses are checked, and the finished bytes are checked once more (`email_check`).
"""

import re
from dataclasses import dataclass
from dataclasses import field as default_field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from analytics_worker.errors import PermanentError
from analytics_worker.text import one_line
from analytics_worker.transport.email_address import parse_address
from analytics_worker.transport.email_content import (
    Attachment,
    Content,
    InlineImage,
    encoded_content_size,
)
from analytics_worker.transport.email_headers import (
    address_field,
    field,
    text_field,
)

MAX_SUBJECT = 300

_MESSAGE_ID = re.compile(r"<(?!.*=\?)[!-;=?-~]{1,200}@[!-;=?-~]{1,200}>")
_THREAD_FIELDS = ("In-Reply-To", "References")
_FIXED_FIELDS = {
    "Auto-Submitted": "auto-generated",  # RFC 3834: no vacation notice answers it
    "X-Auto-Response-Suppress": "All",  # the same for Exchange
}


@dataclass(frozen=True)
class Email:
    """One email. Addresses are ``ann@example.com`` or ``Ann Lee <ann@example.com>``.

    ``bcc`` is in no header; it lists the other recipients. ``thread`` is the Message-ID of the email
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
        """All recipients."""
        return (*self.to, *self.cc, *self.bcc)

    @property
    def content(self) -> Content:
        """The content, which all recipients share."""
        return Content(self.text, self.html, self.images, self.attachments)


def headers(email: Email, *, utf8: bool = False) -> bytes:
    """Return the header lines of an email, without those that describe its content.

    Raises:
        PermanentError: an address or the Message-ID can't be used.
    """
    own = field("Message-ID", [_message_id(email.message_id)])
    shared = _shared_headers(
        email.date, email.sender, email.to, email.cc, email.subject, email.thread, utf8
    )
    return f"{own}{shared}".encode()


def header_names(email: Email) -> list[str]:
    """Return the names of the fields that `headers` writes, in order."""
    return [
        *("Message-ID", "Date", "From", "To"),
        *(["Cc"] if email.cc else []),
        "Subject",
        *(_THREAD_FIELDS if email.thread else ()),
        *_FIXED_FIELDS,
    ]


@lru_cache(maxsize=4)
def _shared_headers(
    date: datetime,
    sender: str,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    subject: str,
    thread: str | None,
    utf8: bool,
) -> str:
    """Return all fields but the Message-ID. Cached: 200 emails to 200 recipients name all of them."""
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


def encoded_size(email: Email) -> int:
    """Return the size of the whole email in bytes, without reading or encoding the attachments."""
    return len(headers(email)) + encoded_content_size(email.content)
