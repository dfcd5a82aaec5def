"""Create emails and mail servers with default values for the fields that a test does not need."""

from typing import Any

from analytics_worker.transport.email import Email
from analytics_worker.transport.smtp import MailServer
from tests.support.smtp_sink import SmtpSink


def make_email(**changes: Any) -> Email:
    fields: dict[str, Any] = {
        "message_id": "<1@test>",
        "sender": "Worker <worker@example.com>",
        "to": ("ann@example.com",),
        "subject": "Pipeline fell",
        "text": "It fell.",
    }
    return Email(**(fields | changes))


def numbered_email(number: int, **changes: Any) -> Email:
    return make_email(message_id=f"<{number}@test>", **changes)


def plain_server(sink: SmtpSink, **changes: Any) -> MailServer:
    """Return the sink as a server without encryption."""
    fields: dict[str, Any] = {
        "host": sink.host,
        "port": sink.port,
        "security": "none",
        "timeout_seconds": 10,
    }
    return MailServer(**(fields | changes))
