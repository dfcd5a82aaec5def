"""Connect to a mail server, with encryption and login as its settings require.

Reads and writes nothing but the connection; `analytics_worker.transport.smtp_session` sends on it. If an
API caller chose the server, only permitted addresses are connected to, and nothing of the greeting is
quoted unless it is that of an SMTP server: the banner of another service must not be disclosed.
"""

import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from smtplib import SMTP, SMTPException, SMTPResponseException
from typing import Literal

from pydantic import SecretStr

from analytics_worker.quoting import quoted_reply
from analytics_worker.text import one_line
from analytics_worker.transport.address_filter import AllowList
from analytics_worker.transport.connection_guard import restrict_connections
from analytics_worker.transport.smtp_replies import BoundedSMTP, BoundedSMTPS
from analytics_worker.transport.tls import default_ssl_context

Security = Literal["starttls", "tls", "none"]
REFUSALS = range(400, 600)


@dataclass(frozen=True)
class MailServer:
    """A server that accepts emails. ``starttls`` and ``tls`` never fall back to clear text."""

    host: str
    port: int = 587
    security: Security = "starttls"
    user: str | None = None
    password: SecretStr | None = None
    timeout_seconds: float = 30
    allowed: AllowList | None = None
    """The addresses inside the network that it may have; None if the operator chose the server."""

    def __str__(self) -> str:
        """Return its name for messages."""
        return f"mail server {self.host}:{self.port}"


def connect(server: MailServer) -> SMTP:
    """Open a connection, encrypted unless the server's settings disable it, and log in.

    Raises:
        SMTPException, OSError: it could not be opened as configured.
        ForbiddenAddressError: its address is not permitted.
    """
    deadline = time.monotonic() + server.timeout_seconds
    with _hide_foreign_greeting(server):
        smtp = _connect_and_greet(server)
    try:
        if server.security == "starttls":
            set_timeout(smtp, deadline - time.monotonic())
            smtp.starttls(context=default_ssl_context())  # raises if the server does not offer it
            smtp.ehlo()  # what the server sent in clear text is discarded
        if server.user and server.password:
            set_timeout(smtp, deadline - time.monotonic())
            _log_in(smtp, server.user, server.password.get_secret_value())
    except BaseException:
        smtp.close()
        raise
    return smtp


def _log_in(smtp: SMTP, user: str, password: str) -> None:
    try:
        smtp.login(user, password)
    except SMTPException as error:
        if type(error) is not SMTPException:
            raise
        raise SMTPException(_without_reply(str(error))) from None
    except UnicodeError:
        raise SMTPException("user or password have characters beyond ASCII") from None
    except ValueError:
        raise SMTPException("the server's challenge is not base64") from None


def _without_reply(text: str) -> str:
    """Return an error of smtplib without the reply that ends it."""
    return text.partition(" Last response:")[0]


@contextmanager
def _hide_foreign_greeting(server: MailServer) -> Generator[None]:
    """Hide the greeting of a host that is not an SMTP server."""
    try:
        yield
    except SMTPResponseException as error:
        if server.allowed is None and error.smtp_code in REFUSALS:
            raise
        code = f" {error.smtp_code}" if error.smtp_code in REFUSALS else " something else"
        raise SMTPException(f"answered{code} instead of an SMTP greeting") from None


def _connect_and_greet(server: MailServer) -> SMTP:
    smtp = (
        _open_connection(server)
        if server.allowed is None
        else _open_permitted_connection(server, server.allowed)
    )
    try:
        smtp.ehlo_or_helo_if_needed()
    except BaseException:
        smtp.close()
        raise
    return smtp


def _open_permitted_connection(server: MailServer, allowed: AllowList) -> SMTP:
    with restrict_connections(allowed):
        return _open_connection(server)


def _open_connection(server: MailServer) -> SMTP:
    name = socket.gethostname()
    local = name if "." in name else "[127.0.0.1]"  # smtplib would query the DNS, for seconds
    timeout = server.timeout_seconds
    if server.security == "tls":
        smtp = BoundedSMTPS(
            server.host, server.port, local, timeout=timeout, context=default_ssl_context()
        )
    else:
        smtp = BoundedSMTP(server.host, server.port, local, timeout=timeout)
    if smtp.sock is not None:
        smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return smtp


def set_timeout(smtp: SMTP, seconds: float) -> None:
    """Limit the time of each of the next reads and writes."""
    if smtp.sock is not None:
        smtp.sock.settimeout(max(seconds, 0.001))


def reason(error: Exception, server: MailServer) -> str:
    """Return a short reason of an error."""
    if isinstance(error, SMTPResponseException):
        return reply_text(server, error.smtp_code, error.smtp_error)
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def reply_text(server: MailServer, code: int, text: bytes | str) -> str:
    """Return a reply as messages quote it; the only way of a server's text into a message."""
    reply = text if isinstance(text, str) else text.decode(errors="replace")
    password = server.password.get_secret_value() if server.password else None
    return one_line(f"{code} {quoted_reply(reply, password, user=server.user or '')}")
