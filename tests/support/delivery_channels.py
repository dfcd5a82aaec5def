"""Small real channels over the transports, instead of the shipped ones: email, and JSON posted to a URL.

``open_channel`` is what `analytics_worker.delivery.routing` calls for every type of block.
"""

import functools
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime

from analytics_worker.delivery.channels.base import Channel, Sender
from analytics_worker.delivery.message import OutgoingMessage
from analytics_worker.send_result import SendResult
from analytics_worker.settings import settings
from analytics_worker.transport.email import Email
from analytics_worker.transport.email_address import parse_address
from analytics_worker.transport.email_content import Attachment
from analytics_worker.transport.smtp_session import SmtpSession, smtp_session
from analytics_worker.transport.webhook import webhook_session
from blocks.notifications import EmailChannel, SlackChannel, WebhookChannel


def open_channel(name: str, block: EmailChannel | WebhookChannel | SlackChannel) -> Channel:
    if isinstance(block, EmailChannel):
        return Channel(
            name,
            "email",
            block.host,
            block.to,
            functools.partial(_mails, block),
            takes_files=True,
        )
    concurrency = settings().delivery_concurrency
    kind = "slack" if isinstance(block, SlackChannel) else "webhook"
    return Channel(
        name, kind, "sink", [name], functools.partial(_posts, block), concurrency=concurrency
    )


@contextmanager
def _mails(block: EmailChannel) -> Generator[Sender]:
    with smtp_session(block.server(settings().alert_email_timeout_seconds, None)) as smtp:
        yield functools.partial(_mail, smtp, block.sender)


def _mail(smtp: SmtpSession, sender: str, message: OutgoingMessage) -> SendResult:
    key, content = message.key, message.content
    mail = Email(
        message_id=key if key.startswith("<") else f"<{key}@{parse_address(sender).domain}>",
        sender=sender,
        to=content.to or (message.recipient,),
        cc=content.cc,
        subject=content.subject,
        text=content.text,
        html=content.html,
        attachments=tuple(Attachment(name, path) for name, path in message.files.items()),
        date=content.sent_as or datetime.now(UTC),
    )
    return smtp.send(mail, message.recipient)


@contextmanager
def _posts(block: WebhookChannel | SlackChannel) -> Generator[Sender]:
    secret = block.secret if isinstance(block, WebhookChannel) else None
    assert block.url is not None
    with webhook_session(block.url, secret, connections=1) as hook:
        yield lambda message: hook.post(_json(message), message.key)


def _json(message: OutgoingMessage) -> dict[str, object]:
    content = message.content
    return {
        "subject": content.subject,
        "text": content.text,
        "thread": dict(message.thread),
        "links": [each.url for each in content.attachments],
        "items": list(content.items),
    }
