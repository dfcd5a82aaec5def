"""Send emails: one connection for many emails, one result per recipient.

Reads the ``ALERT_EMAIL_*`` settings; writes nothing but emails. A retry is safe as far as the receiver
removes duplicates by Message-ID, which the caller chooses and keeps.
::

    with smtp_session(configured_mail_server()) as session:
        result = session.send(email, "ann@example.com")

The session connects at the first email. Each recipient is a transaction of its own, so that a refused
one does not affect the others. Failures of a server are returned as `SendResult`, not raised.
A session belongs to one thread.
"""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import lru_cache
from smtplib import SMTP, SMTPException, SMTPResponseException

from analytics_worker.errors import PermanentError
from analytics_worker.send_result import (
    SENT,
    SendResult,
    permanent,
    refused,
    temporary,
    unreachable,
)
from analytics_worker.settings import settings
from analytics_worker.telemetry import timed_request
from analytics_worker.transport.email import Email, header_names, headers
from analytics_worker.transport.email_address import parse_address
from analytics_worker.transport.email_check import UnsafeEmailError, check_content, check_headers
from analytics_worker.transport.email_content import Content, count_parts, encode
from analytics_worker.transport.smtp import MailServer, connect, reason, reply_text, set_timeout
from analytics_worker.transport.smtp_transaction import (
    SERVICE_NOT_AVAILABLE,
    ConnectionLostError,
    Envelope,
    mail_from,
    rcpt_to,
    run_command,
    start_data,
)

SLOWEST_BYTES_PER_SECOND = 64 * 1024  # large emails get more time than small ones
SHARED_CONTENTS = 4  # encoded attachments kept by a session
FIRST_REFUSAL_CODE = 400
FIRST_PERMANENT_CODE = 500
MESSAGE_TOO_LARGE = 552


def configured_mail_server() -> MailServer:
    """Return the mail server of the settings.

    Raises:
        PermanentError: the settings define no server.
    """
    current = settings()
    if current.alert_email_host is None:
        raise PermanentError("No mail server: set ALERT_EMAIL_HOST (and ALERT_EMAIL_FROM).")
    return MailServer(
        host=current.alert_email_host,
        port=current.alert_email_port,
        security=current.alert_email_tls,
        user=current.alert_email_user,
        password=current.alert_email_password,
        timeout_seconds=current.alert_email_timeout_seconds,
    )


@contextmanager
def smtp_session(server: MailServer) -> Generator["SmtpSession"]:
    """Send a batch of emails on one connection, which is opened when it is needed."""
    session = SmtpSession(server)
    try:
        yield session
    finally:
        session.close()


class SmtpSession:
    """A connection to a mail server, opened again after the server has closed it."""

    def __init__(self, server: MailServer) -> None:
        self.server = server
        self._smtp: SMTP | None = None
        self._content = lru_cache(maxsize=SHARED_CONTENTS)(_dot_stuffed)

    @timed_request("mail")
    def send(self, email: Email, recipient: str) -> SendResult:
        """Send one email to one recipient, which its headers need not name."""
        try:
            sender, address = parse_address(email.sender), parse_address(recipient)
            utf8 = not f"{sender.username}{address.username}".isascii()
            message = _checked_headers(email, utf8) + self._content(email.content)
        except PermanentError as error:
            return permanent(str(error))
        except UnsafeEmailError as error:
            return permanent(f"the email was not sent, because its bytes are not safe: {error}")
        return self._send(Envelope(sender.addr_spec, address.addr_spec, message, utf8))

    def close(self) -> None:
        """Send QUIT and close, without waiting long for an answer."""
        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        with suppress(SMTPException, OSError):
            set_timeout(smtp, min(5, self.server.timeout_seconds))
            smtp.quit()
        smtp.close()

    def _send(self, envelope: Envelope) -> SendResult:
        """Send on the kept connection and, if that is lost, once on a new one."""
        reused = self._smtp is not None
        try:
            return self._transaction(self._connected(), envelope)
        except ConnectionLostError as error:
            self._drop_connection()
            return self._send(envelope) if reused else unreachable(f"{self.server}: {error}")
        except (SMTPException, OSError) as error:
            self._drop_connection()
            return self._unreachable(error)
        except PermanentError as error:
            return refused(error, self.server)

    def _connected(self) -> SMTP:
        if self._smtp is None:
            self._smtp = connect(self.server)
        return self._smtp

    def _drop_connection(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    def _unreachable(self, error: Exception) -> SendResult:
        code = error.smtp_code if isinstance(error, SMTPResponseException) else None
        return unreachable(f"{self.server}: {reason(error, self.server)}", code=code)

    def _transaction(self, smtp: SMTP, envelope: Envelope) -> SendResult:
        set_timeout(smtp, self.server.timeout_seconds)
        if envelope.utf8 and not smtp.has_extn("smtputf8"):
            return permanent(f"{self.server} does not support addresses beyond ASCII (SMTPUTF8)")
        for step in (mail_from, rcpt_to, start_data):
            code, text = run_command(step, smtp, envelope, self.server)
            if code >= FIRST_REFUSAL_CODE:
                return self._refused(smtp, step is mail_from, code, text)
        return self._send_data(smtp, envelope)

    def _refused(self, smtp: SMTP, is_sender: bool, code: int, text: bytes) -> SendResult:
        """Return the result of a refusal; the connection stays usable for the next recipient."""
        detail = reply_text(self.server, code, text)
        with suppress(SMTPException, OSError):
            smtp.rset()  # if this fails, the next transaction notices
        if is_sender and code != MESSAGE_TOO_LARGE:
            return unreachable(f"{self.server} refuses the sender: {detail}", code=code)
        return _refusal(code, detail)

    def _send_data(self, smtp: SMTP, envelope: Envelope) -> SendResult:
        """Send the data. From here on the server may have the email, even if the connection is lost."""
        size = len(envelope.message)
        set_timeout(smtp, self.server.timeout_seconds + size / SLOWEST_BYTES_PER_SECOND)
        try:
            smtp.send(envelope.message + b".\r\n")
            code, text = smtp.getreply()
        except (SMTPException, OSError) as error:
            self._drop_connection()
            detail = f"{self.server}: no answer to the email: {reason(error, self.server)}"
            return temporary(detail, outage=True)
        if code == SERVICE_NOT_AVAILABLE:
            self._drop_connection()
        return (
            SENT
            if code < FIRST_REFUSAL_CODE
            else _refusal(code, reply_text(self.server, code, text))
        )


def _refusal(code: int, detail: str) -> SendResult:
    return (
        permanent(detail, code=code)
        if code >= FIRST_PERMANENT_CODE
        else temporary(detail, code=code)
    )


def _checked_headers(email: Email, utf8: bool) -> bytes:
    finished = headers(email, utf8=utf8)
    check_headers(finished, header_names(email), utf8=utf8)
    return finished


def _dot_stuffed(content: Content) -> bytes:
    """Encode and check content, double dots at line starts (RFC 5321, 4.5.2), end with a line break."""
    encoded = encode(content)
    check_content(encoded, count_parts(content))
    quoted = encoded.replace(b"\r\n.", b"\r\n..")
    return quoted if quoted.endswith(b"\r\n") else quoted + b"\r\n"
