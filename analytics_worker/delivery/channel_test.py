"""Send a test message through one channel, without the outbox.

Writes nothing but that message. It opens no incident: incident services show it as information.
"""

import socket
from datetime import UTC, datetime
from uuid import uuid4

from analytics_worker.delivery.message import Content, Fact, Message, Recipient
from analytics_worker.delivery.routing import ChannelUnavailableError, recipients_of, send_once
from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SendResult

TITLE = "Test message of analytics-worker"


class NoRecipientError(PermanentError):
    """The channel has no recipients."""


def send_test(name: str, to: str | None = None) -> list[tuple[Recipient, SendResult]]:
    """Send a test message to each recipient of a channel.

    Args:
        name: The channel.
        to: An address in place of its recipients.

    Raises:
        PermanentError: it is not configured, can't be used, or has no recipients.
    """
    try:
        recipients = recipients_of(name)
        addressed = [Recipient(name, to)] if to else recipients
        if not addressed:
            raise NoRecipientError(
                f"Channel {name!r} has no recipients: pass --to ADDRESS, or fill in its recipients"
                " (ALERT_EMAIL_TO, or `to` of the block)."
            )
        return [(each, _send(name, each)) for each in addressed]
    except ChannelUnavailableError as error:
        raise PermanentError(str(error)) from error


def _send(name: str, recipient: Recipient) -> SendResult:
    message = Message("monitoring", "test", test_content(), [recipient])
    return send_once(name, message, recipient, str(uuid4()))


def test_content() -> Content:
    """Return the content of the test message."""
    host, sent = socket.gethostname(), f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return Content(
        subject=f"[TEST] {TITLE}",
        headline=TITLE,
        text=f"{TITLE}\n\nHost: {host}\nSent: {sent}\n",
        severity="info",
        facts=(Fact(label="Host", value=host), Fact(label="Sent", value=sent)),
        json={"event": "test", "host": host, "sent": sent, "text": TITLE},
    )
