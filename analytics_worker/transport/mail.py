"""Sending mail: one connection for many mails, one verdict per recipient.

Reads the ``ALERT_EMAIL_*`` settings; writes nothing but mails. Sending again is safe as far as the
receiver removes duplicates by Message-ID, which the caller chooses and keeps.
::

    with smtp_session(mail_server()) as session:
        outcome = session.send(mail, "ann@example.com")

The session connects at the first mail. Each recipient is a transaction of its own, so that one who is
refused takes nothing from the others. Nothing is raised for what a server does: `SendResult` says it.
A session belongs to one thread.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from smtplib import SMTP, SMTPException, SMTPResponseException, SMTPServerDisconnected

from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SENT, SendResult, permanent, temporary, unreachable
from analytics_worker.settings import settings
from analytics_worker.telemetry import timed_request
from analytics_worker.transport.mail_address import parse_address
from analytics_worker.transport.mail_check import UnsafeMailError, check_content, check_head
from analytics_worker.transport.mime import (
    Attachment,
    Content,
    InlineImage,
    Mail,
    encode,
    encoded_size,
    head,
    head_fields,
    leaves,
)
from analytics_worker.transport.smtp import MailServer, allow, connect, reason, said

__all__ = [
    "Attachment",
    "InlineImage",
    "Mail",
    "MailServer",
    "SmtpSession",
    "encoded_size",
    "mail_server",
    "parse_address",
    "smtp_session",
]

SLOWEST_BYTES_PER_SECOND = 64 * 1024  # large mails get more time than small ones
SHARED_CONTENTS = 4  # encoded attachments kept by a session
FIRST_REFUSAL = 400
FIRST_PERMANENT = 500
SERVICE_NOT_AVAILABLE = 421
MESSAGE_TOO_LARGE = 552


def mail_server() -> MailServer:
    """The server that the settings name.

    Raises:
        PermanentError: they name none.
    """
    chosen = settings()
    if chosen.alert_email_host is None:
        raise PermanentError("No mail server: set ALERT_EMAIL_HOST (and ALERT_EMAIL_FROM).")
    return MailServer(
        host=chosen.alert_email_host,
        port=chosen.alert_email_port,
        security=chosen.alert_email_tls,
        user=chosen.alert_email_user,
        password=chosen.alert_email_password,
        timeout_seconds=chosen.alert_email_timeout_seconds,
    )


@contextmanager
def smtp_session(server: MailServer) -> Generator["SmtpSession"]:
    """Send a batch of mails on one connection, which is opened when it is needed."""
    session = SmtpSession(server)
    try:
        yield session
    finally:
        session.close()


class _DroppedError(Exception):
    """The connection ended before the message was handed over: safe to try on another one."""


class SmtpSession:
    """A connection to a mail server, made again when the server has dropped it."""

    def __init__(self, server: MailServer) -> None:
        """Prepare; nothing is opened."""
        self.server = server
        self._smtp: SMTP | None = None
        self._content = lru_cache(maxsize=SHARED_CONTENTS)(_on_the_wire)

    @timed_request("mail")
    def send(self, mail: Mail, recipient: str) -> SendResult:
        """Hand in one mail for one recipient, whoever else its headers name."""
        try:
            sender, address = parse_address(mail.sender), parse_address(recipient)
            utf8 = not f"{sender.username}{address.username}".isascii()
            message = _checked_head(mail, utf8) + self._content(mail.content)
        except PermanentError as error:
            return permanent(str(error))
        except UnsafeMailError as error:
            return permanent(f"the mail was not sent, because its bytes are not safe: {error}")
        return self._send(_Envelope(sender.addr_spec, address.addr_spec, message, utf8))

    def close(self) -> None:
        """Say goodbye, without waiting for an answer that does not come."""
        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        with suppress(SMTPException, OSError):
            allow(smtp, min(5, self.server.timeout_seconds))
            smtp.quit()
        smtp.close()

    def _send(self, envelope: "_Envelope") -> SendResult:
        """Try on the kept connection and, if that turns out dead, once on a new one."""
        reused = self._smtp is not None
        try:
            return self._transaction(self._connected(), envelope)
        except _DroppedError as error:
            self._forget()
            return self._send(envelope) if reused else unreachable(f"{self.server}: {error}")
        except (SMTPException, OSError) as error:
            self._forget()
            return self._unreachable(error)
        except PermanentError as error:
            return permanent(f"{self.server}: {error}")

    def _connected(self) -> SMTP:
        if self._smtp is None:
            self._smtp = connect(self.server)
        return self._smtp

    def _forget(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    def _unreachable(self, error: Exception) -> SendResult:
        code = error.smtp_code if isinstance(error, SMTPResponseException) else None
        return unreachable(f"{self.server}: {reason(error, self.server)}", code=code)

    def _transaction(self, smtp: SMTP, envelope: "_Envelope") -> SendResult:
        allow(smtp, self.server.timeout_seconds)
        if envelope.utf8 and not smtp.has_extn("smtputf8"):
            return permanent(f"{self.server} takes no addresses beyond ASCII (SMTPUTF8)")
        for step in (_mail_from, _rcpt_to, _data):
            code, text = _answer(step, smtp, envelope, self.server)
            if code >= FIRST_REFUSAL:
                return self._refused(smtp, step is _mail_from, code, text)
        return self._hand_over(smtp, envelope)

    def _refused(self, smtp: SMTP, is_sender: bool, code: int, text: bytes) -> SendResult:
        """The verdict on a refusal; the connection stays usable for the next recipient."""
        reply = said(self.server, code, text)
        with suppress(SMTPException, OSError):
            smtp.rset()  # if this fails, the next transaction notices
        if is_sender and code != MESSAGE_TOO_LARGE:
            return unreachable(f"{self.server} refuses the sender: {reply}", code=code)
        return _refusal(code, reply)

    def _hand_over(self, smtp: SMTP, envelope: "_Envelope") -> SendResult:
        """From here on the server may have the mail, whatever happens to the connection."""
        size = len(envelope.message)
        allow(smtp, self.server.timeout_seconds + size / SLOWEST_BYTES_PER_SECOND)
        try:
            smtp.send(envelope.message + b".\r\n")
            code, text = smtp.getreply()
        except (SMTPException, OSError) as error:
            self._forget()
            why = f"{self.server}: no answer to the mail: {reason(error, self.server)}"
            return temporary(why, outage=True)
        if code == SERVICE_NOT_AVAILABLE:
            self._forget()
        return SENT if code < FIRST_REFUSAL else _refusal(code, said(self.server, code, text))


@dataclass(frozen=True)
class _Envelope:
    sender: str
    recipient: str
    message: bytes
    utf8: bool


Step = Callable[[SMTP, _Envelope], tuple[int, bytes]]


def _answer(step: Step, smtp: SMTP, envelope: _Envelope, server: MailServer) -> tuple[int, bytes]:
    """What the server says to a command; 421 and a closed connection are the same."""
    try:
        code, text = step(smtp, envelope)
    except (SMTPServerDisconnected, OSError) as error:
        if isinstance(error.__context__, TimeoutError):
            raise TimeoutError from None  # it hangs: another connection would hang, too
        raise _DroppedError(reason(error, server)) from None
    if code == SERVICE_NOT_AVAILABLE:
        raise _DroppedError(said(server, code, text))
    return code, text


def _mail_from(smtp: SMTP, envelope: _Envelope) -> tuple[int, bytes]:
    options = ["SMTPUTF8"] if envelope.utf8 else []
    if smtp.has_extn("size"):
        options.append(f"size={len(envelope.message)}")
    return smtp.mail(envelope.sender, options)


def _rcpt_to(smtp: SMTP, envelope: _Envelope) -> tuple[int, bytes]:
    return smtp.rcpt(envelope.recipient)


def _data(smtp: SMTP, _envelope: _Envelope) -> tuple[int, bytes]:
    return smtp.docmd("data")


def _refusal(code: int, reply: str) -> SendResult:
    return permanent(reply, code=code) if code >= FIRST_PERMANENT else temporary(reply, code=code)


def _checked_head(mail: Mail, utf8: bool) -> bytes:
    finished = head(mail, utf8=utf8)
    check_head(finished, head_fields(mail), utf8=utf8)
    return finished


def _on_the_wire(content: Content) -> bytes:
    """Encoded, checked, with dots at line starts doubled (RFC 5321, 4.5.2), ending in a line break."""
    encoded = encode(content)
    check_content(encoded, leaves(content))
    quoted = encoded.replace(b"\r\n.", b"\r\n..")
    return quoted if quoted.endswith(b"\r\n") else quoted + b"\r\n"
