"""Send messages as emails, each recipient in a transaction of its own, all on one connection.

The body of a message is encoded once for all its recipients. A later message of a topic refers to the
one before it (In-Reply-To), so that email clients show them together.
Reads the files and ``ALERT_EMAIL_TIMEOUT_SECONDS``; writes nothing but emails, which receivers
deduplicate by Message-ID.
"""

import html
import re
from base64 import b64decode
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from analytics_worker.delivery import escaping
from analytics_worker.delivery.channels.base import Channel, Sender
from analytics_worker.delivery.channels.card import is_usable_url
from analytics_worker.delivery.channels.factory import parse_rate
from analytics_worker.delivery.message import Attachment as ContentFile
from analytics_worker.delivery.message import Content, OutgoingMessage
from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SendResult, permanent
from analytics_worker.settings import settings
from analytics_worker.transport.address_filter import (
    AllowList,
    check_host,
    configured_allow_list,
)
from analytics_worker.transport.email import Email
from analytics_worker.transport.email_address import parse_address
from analytics_worker.transport.email_content import Attachment, InlineImage
from analytics_worker.transport.smtp_session import SmtpSession, smtp_session
from blocks.notifications import EmailChannel

DEFAULT_MEDIA_TYPE = "application/octet-stream"

_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,200}@[!-;=?-~]{1,200}>")
_BODY_END = re.compile(r"</body\s*>(?!.*</body)", re.IGNORECASE | re.DOTALL)


def open_channel(name: str, block: EmailChannel) -> Channel:
    """Return the channel of a block; nothing is opened before its session is."""
    allowed = email_allow_list(block.host, block.port)
    server = block.server(settings().alert_email_timeout_seconds, allowed)
    _check_sender(block.sender)

    @contextmanager
    def session() -> Generator[Sender]:
        with smtp_session(server) as smtp:
            yield EmailSender(smtp, block.sender).send

    return Channel(
        name=name,
        kind="email",
        target=f"{block.host}:{block.port}",
        recipients=list(block.to),
        session=session,
        rate=parse_rate(block.rate),
        takes_files=True,
        check_target=partial(check_host, block.host, block.port, allowed),
    )


def _check_sender(sender: str) -> None:
    try:
        parse_address(sender)
    except PermanentError as error:
        raise PermanentError(
            f"the sender can't be used: {error} (ALERT_EMAIL_FROM, or `sender` of the block)"
        ) from None


class _Body(NamedTuple):
    """The body that all recipients of a message share."""

    text: str
    html: str | None
    images: tuple[InlineImage, ...]
    attachments: tuple[Attachment, ...]
    date: datetime


class EmailSender:
    """A sender on one connection, which keeps the body of the last message."""

    def __init__(self, smtp: SmtpSession, sender: str) -> None:
        self._smtp = smtp
        self._sender = sender
        self._last: tuple[Content, Mapping[str, Path], _Body] | None = None

    def send(self, message: OutgoingMessage) -> SendResult:
        """Send one message to one recipient, which its headers need not name."""
        try:
            email = self._email(message)
        except (PermanentError, ValueError) as error:
            return permanent(f"the message can't be written as an email: {error}")
        result = self._smtp.send(email, message.recipient)
        receipt = {"message_id": email.message_id}
        return replace(result, receipt=receipt) if result.status == "sent" else result

    def _email(self, message: OutgoingMessage) -> Email:
        content, body = message.content, self._body(message)
        earlier = message.thread.get("message_id", "")
        return Email(
            message_id=message_id(message.key, self._sender),
            sender=self._sender,
            to=content.to or (message.recipient,),
            cc=content.cc,
            subject=escaping.single_line(content.subject),
            text=body.text,
            html=body.html,
            images=body.images,
            attachments=body.attachments,
            thread=earlier if _MESSAGE_ID.fullmatch(earlier) else None,
            date=body.date,
        )

    def _body(self, message: OutgoingMessage) -> _Body:
        last = self._last
        if last and last[0] is message.content and last[1] == message.files:
            return last[2]
        body = _body(message.content, message.files)
        self._last = (message.content, message.files, body)
        return body


def message_id(key: str, sender: str) -> str:
    """Return the Message-ID for a key: the key itself if it is one already."""
    return key if key.startswith("<") else f"<{key}@{parse_address(sender).domain}>"


def _body(content: Content, files: Mapping[str, Path]) -> _Body:
    linked = [file for file in content.attachments if file.attach_as not in files]
    types = {file.attach_as: file.media_type for file in content.attachments}
    return _Body(
        text=escaping.visible(_text(content.text, linked)),
        html=escaping.visible(_html(content.html, linked)) if content.html is not None else None,
        images=tuple(
            InlineImage(image.name, b64decode(image.data), image.media_type)
            for image in content.images
        ),
        attachments=tuple(
            Attachment(name, path, types.get(name, DEFAULT_MEDIA_TYPE))
            for name, path in files.items()
        ),
        date=content.sent_as or datetime.now(UTC),
    )


def _text(text: str, files: Sequence[ContentFile]) -> str:
    """Add the links to files that are not attached, unless the text contains them already."""
    lines = [
        f"- {escaping.single_line(file.attach_as)}: {_file_location(file)}"
        for file in files
        if not file.url or file.url not in text
    ]
    return "\n".join([text.rstrip(), "", "Files:", *lines, ""]) if lines else text


def _html(page: str, files: Sequence[ContentFile]) -> str:
    """Add the same links at the end of the page."""
    links = [_link(file) for file in files if not file.url or html.escape(file.url) not in page]
    if not links:
        return page
    paragraph = f"<p>Files: {', '.join(links)}</p>"
    end = _BODY_END.search(page)
    return f"{page[: end.start()]}{paragraph}{page[end.start() :]}" if end else f"{page}{paragraph}"


def _link(file: ContentFile) -> str:
    name = html.escape(escaping.single_line(file.attach_as))
    if not is_usable_url(file.url):
        return f"{name} ({html.escape(_file_location(file))})"
    return f'<a href="{html.escape(file.url)}">{name}</a>'


def _file_location(file: ContentFile) -> str:
    return file.url or "not attached"


def email_allow_list(host: str, port: int) -> AllowList:
    """Return the addresses inside the network that the mail server of a block may have.

    Raises:
        PermanentError: the port is not one of EMAIL_ALLOWED_PORTS.
    """
    current = settings()
    allowed = configured_allow_list()
    ports = set(current.email_allowed_ports)
    own = current.alert_email_host
    if own and own.lower() == host.lower():
        ports.add(current.alert_email_port)
        allowed = replace(allowed, names=allowed.names | {own.lower()})
    if port not in ports:
        expected = ", ".join(str(each) for each in sorted(ports))
        raise PermanentError(
            f"Port {port} is not a valid port of an Email Channel; expected one of {expected}."
            " To allow it, add it to EMAIL_ALLOWED_PORTS."
        )
    return allowed
