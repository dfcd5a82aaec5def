"""What arrived at the mail server and at the webhook."""

from typing import NamedTuple

from tests.acceptance.fourteen_nights.story import OPS
from tests.support.http_sink import HttpSink, Posted
from tests.support.smtp_sink import Received, SmtpSink


class Arrived(NamedTuple):
    """A message as it arrived."""

    at: str
    to: str
    subject: str
    text: str


class Mailbox:
    """The sinks that the channels lead to."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self.mail, self.hook = SmtpSink(), HttpSink()

    def start(self) -> None:
        """Accept messages."""
        self.mail.start()
        self.hook.start()

    def stop(self) -> None:
        """Accept none any more."""
        self.mail.stop()
        self.hook.stop()

    def variables(self) -> dict[str, str]:
        """Return the settings of the channels."""
        return {
            "ALERT_EMAIL_HOST": self.mail.host,
            "ALERT_EMAIL_PORT": str(self.mail.port),
            "ALERT_EMAIL_TLS": "none",
            "ALERT_EMAIL_FROM": "worker@example.com",
            "ALERT_WEBHOOK_URL": self.hook.url,
            "OUTBOUND_ALLOWED_HOSTS": "127.0.0.1",
        }

    def take(self, at: str) -> list[Arrived]:
        """Return what arrived since the last time."""
        found = [_email(at, each) for each in self.mail.messages]
        found += [_posted(at, each) for each in self.hook.requests]
        self.mail.messages.clear()
        self.hook.requests.clear()
        return found


def _email(at: str, received: Received) -> Arrived:
    body = received.mail.get_body(("plain",))
    text = str(body.get_content()) if body else ""
    return Arrived(
        at, ", ".join(received.recipients), str(received.mail["Subject"]), _one_line(text)
    )


def _posted(at: str, posted: Posted) -> Arrived:
    text = str(posted.json["text"])
    return Arrived(at, OPS, text.splitlines()[0], _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())
