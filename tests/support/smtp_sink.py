"""A real SMTP server on loopback that records emails and misbehaves on request.

``smtp_sink.messages`` has every accepted email, one entry per transaction.
"""

import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.pausing_server import PausableServer
from tests.support.ports import free_port

OK = "250 OK"


@dataclass(frozen=True)
class Received:
    """One accepted email."""

    sender: str
    recipients: list[str]
    content: bytes

    @property
    def mail(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def id(self) -> str:
        return str(self.mail["Message-ID"])


class SmtpSink(PausableServer):
    """Starts on a free port; `start` after `stop` comes back on the same one.

    ``login=("user", "password")`` requires it; ``tls`` is a server context for STARTTLS, or for
    TLS from the first byte with ``implicit_tls``.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        *,
        login: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        smtputf8: bool = True,
    ) -> None:
        super().__init__()
        self.messages: list[Received] = []
        self.connections = 0
        self.port = free_port()
        self.drop_next_data = False
        self._refusals: dict[str, list[str]] = {}
        self._login = login
        self._tls = tls
        self._implicit = implicit_tls
        self._smtputf8 = smtputf8
        self._controller: Controller | None = None

    def start(self) -> None:
        options: dict[str, Any] = {"ready_timeout": 30, "enable_SMTPUTF8": self._smtputf8}
        if self._tls and self._implicit:
            options["ssl_context"] = self._tls
        elif self._tls:
            options |= {"tls_context": self._tls, "require_starttls": True}
        if self._login:
            options |= {
                "auth_required": True,
                "auth_require_tls": self._tls is not None,
                "authenticator": self._authenticate,
            }
        controller = Controller(self, hostname=self.host, port=self.port, **options)
        controller.start()
        self._controller = controller

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def refuse(self, address: str, code: int, times: int = 1_000_000) -> None:
        """Answer RCPT TO this address with ``code``, so many times."""
        self._refusals[address] = [f"{code} refused for the test"] * times

    def ids(self) -> list[str]:
        """Message-IDs in the order of arrival."""
        return [received.id for received in self.messages]

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, _how: str, data: Any):
        assert isinstance(data, LoginPassword)
        credentials = (data.login.decode(), data.password.decode())
        return AuthResult(success=credentials == self._login, handled=False)

    # Called by aiosmtpd, which fixes names and parameters.

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: Envelope, host: str, answers: list[str]
    ):
        self.connections += 1
        self.connected()
        session.host_name = host
        return answers

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ):
        if self._refusals.get(address):
            return self._refusals[address].pop()
        envelope.rcpt_tos.append(address)
        return OK

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope):  # noqa: N802
        if self.drop_next_data:
            self.drop_next_data = False
            cast("Any", server).transport.abort()
            return "421 gone"
        received = Received(
            str(envelope.mail_from), list(envelope.rcpt_tos), cast("bytes", envelope.content)
        )
        self.messages.append(received)
        self.answering()
        return OK


@pytest.fixture
def smtp_sink() -> Iterator[SmtpSink]:
    """A running sink without TLS and login."""
    sink = SmtpSink()
    sink.start()
    yield sink
    with suppress(RuntimeError):
        sink.stop()
