"""Connections to a mail server, secured and logged in as its settings say.

Reads and writes nothing but the connection; `analytics_worker.transport.mail` sends on it. Where an API caller chose the
server, the connection goes to permitted addresses only, and what the host says is not repeated before
it has answered as an SMTP server: the banner of any other service is nobody's business.
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
from analytics_worker.transport.connection_guard import only_permitted
from analytics_worker.transport.smtp_replies import BoundedSMTP, BoundedSMTPS
from analytics_worker.transport.tls import trust

Security = Literal["starttls", "tls", "none"]
REFUSALS = range(400, 600)


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in. ``starttls`` and ``tls`` never fall back to clear text."""

    host: str
    port: int = 587
    security: Security = "starttls"
    user: str | None = None
    password: SecretStr | None = None
    timeout_seconds: float = 30
    allowed: AllowList | None = None
    """Which addresses inside the network it may have; None if the operator chose the server."""

    def __str__(self) -> str:
        """Its name in messages."""
        return f"mail server {self.host}:{self.port}"


def connect(server: MailServer) -> SMTP:
    """An encrypted (unless the server's settings say otherwise) and logged-in connection.

    Raises:
        SMTPException, OSError: it could not be made as configured.
        ForbiddenAddressError: its address is not permitted.
    """
    deadline = time.monotonic() + server.timeout_seconds
    with _unverified(server):
        smtp = _greeted(server)
    try:
        if server.security == "starttls":
            allow(smtp, deadline - time.monotonic())
            smtp.starttls(context=trust())  # raises if it is not offered
            smtp.ehlo()  # what was said in clear text counts no longer
        if server.user and server.password:
            allow(smtp, deadline - time.monotonic())
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
    """Without the server's words, with which one text of smtplib ends."""
    return text.partition(" Last response:")[0]


@contextmanager
def _unverified(server: MailServer) -> Generator[None]:
    """Keep the words of a host to itself that has not shown yet that it is an SMTP server."""
    try:
        yield
    except SMTPResponseException as error:
        if server.allowed is None and error.smtp_code in REFUSALS:
            raise
        code = f" {error.smtp_code}" if error.smtp_code in REFUSALS else " something else"
        raise SMTPException(f"answered{code} instead of an SMTP greeting") from None


def _greeted(server: MailServer) -> SMTP:
    smtp = _dial(server) if server.allowed is None else _dial_permitted(server, server.allowed)
    try:
        smtp.ehlo_or_helo_if_needed()
    except BaseException:
        smtp.close()
        raise
    return smtp


def _dial_permitted(server: MailServer, allowed: AllowList) -> SMTP:
    with only_permitted(allowed):
        return _dial(server)


def _dial(server: MailServer) -> SMTP:
    name = socket.gethostname()
    local = name if "." in name else "[127.0.0.1]"  # smtplib would ask the DNS, for seconds
    timeout = server.timeout_seconds
    if server.security == "tls":
        smtp = BoundedSMTPS(server.host, server.port, local, timeout=timeout, context=trust())
    else:
        smtp = BoundedSMTP(server.host, server.port, local, timeout=timeout)
    if smtp.sock is not None:
        smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return smtp


def allow(smtp: SMTP, seconds: float) -> None:
    """Let each of the next reads and writes take so long at most."""
    if smtp.sock is not None:
        smtp.sock.settimeout(max(seconds, 0.001))


def reason(error: Exception, server: MailServer) -> str:
    """Why it failed, in a few words."""
    if isinstance(error, SMTPResponseException):
        return said(server, error.smtp_code, error.smtp_error)
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def said(server: MailServer, code: int, text: bytes | str) -> str:
    """Return a reply as messages quote it: the only way from a server's words into a text of ours."""
    words = text if isinstance(text, str) else text.decode(errors="replace")
    password = server.password.get_secret_value() if server.password else None
    reply = quoted_reply(words, password, user=server.user or "")
    return one_line(f"{code} {reply}")
