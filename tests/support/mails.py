"""Mails and mail servers with the fields that a test doesn't care about filled in."""

from typing import Any

from analytics_worker.transport.email import Email
from analytics_worker.transport.smtp import MailServer
from tests.support.smtp_sink import SmtpSink


def a_mail(**changes: Any) -> Email:
    fields: dict[str, Any] = {
        "message_id": "<1@test>",
        "sender": "Worker <worker@example.com>",
        "to": ("ann@example.com",),
        "subject": "Pipeline fell",
        "text": "It fell.",
    }
    return Email(**(fields | changes))


def numbered(number: int, **changes: Any) -> Email:
    return a_mail(message_id=f"<{number}@test>", **changes)


def plain(sink: SmtpSink, **changes: Any) -> MailServer:
    """The sink as a server, without encryption."""
    fields: dict[str, Any] = {
        "host": sink.host,
        "port": sink.port,
        "security": "none",
        "timeout_seconds": 10,
    }
    return MailServer(**(fields | changes))
