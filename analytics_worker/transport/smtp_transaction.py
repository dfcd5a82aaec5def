"""Run the commands of one SMTP transaction up to DATA.

Reads and writes nothing but the connection.
"""

from collections.abc import Callable
from dataclasses import dataclass
from smtplib import SMTP, SMTPServerDisconnected

from analytics_worker.transport.smtp import MailServer, reason, reply_text

SERVICE_NOT_AVAILABLE = 421


class ConnectionLostError(Exception):
    """The connection ended before the data was sent: a retry on another one is safe."""


@dataclass(frozen=True)
class Envelope:
    sender: str
    recipient: str
    message: bytes
    utf8: bool


Step = Callable[[SMTP, Envelope], tuple[int, bytes]]


def run_command(
    step: Step, smtp: SMTP, envelope: Envelope, server: MailServer
) -> tuple[int, bytes]:
    """Run a command and return the reply; 421 counts as a lost connection."""
    try:
        code, text = step(smtp, envelope)
    except (SMTPServerDisconnected, OSError) as error:
        if isinstance(error.__context__, TimeoutError):
            raise TimeoutError from None  # the server hangs: a new connection would hang, too
        raise ConnectionLostError(reason(error, server)) from None
    if code == SERVICE_NOT_AVAILABLE:
        raise ConnectionLostError(reply_text(server, code, text))
    return code, text


def mail_from(smtp: SMTP, envelope: Envelope) -> tuple[int, bytes]:
    options = ["SMTPUTF8"] if envelope.utf8 else []
    if smtp.has_extn("size"):
        options.append(f"size={len(envelope.message)}")
    return smtp.mail(envelope.sender, options)


def rcpt_to(smtp: SMTP, envelope: Envelope) -> tuple[int, bytes]:
    return smtp.rcpt(envelope.recipient)


def start_data(smtp: SMTP, _envelope: Envelope) -> tuple[int, bytes]:
    return smtp.docmd("data")
