"""Mails and mail servers with the fields that a test doesn't care about filled in."""

from typing import Any

from analytics_worker.transport.mail import Mail, MailServer
from tests.support.smtp_sink import SmtpSink


def a_mail(**changes: Any) -> Mail:
    fields: dict[str, Any] = {
        "message_id": "<1@test>",
        "sender": "Worker <worker@example.com>",
        "to": ("ann@example.com",),
        "subject": "Pipeline fell",
        "text": "It fell.",
    }
    return Mail(**(fields | changes))


def numbered(number: int, **changes: Any) -> Mail:
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
