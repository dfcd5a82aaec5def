"""What messages quote of a mail server's replies: everything but what holds the password."""

import socket
import threading
from base64 import b64encode
from collections.abc import Generator
from contextlib import contextmanager, suppress

import pytest
from pydantic import SecretStr

from analytics_worker.transport.smtp_session import MailServer, smtp_session
from tests.support.attacks import attack
from tests.support.email_factories import make_email, plain_server

SECRET = "canary-5b1d"
CODED = b64encode(SECRET.encode()).decode()


@pytest.mark.parametrize(
    "reply",
    [
        f"550 your password {SECRET} is out of date",
        f"550 it was {SECRET.upper()}",
        f"550 {' '.join(SECRET)}",
        f"550-it was {SECRET[:4]}\r\n550 {SECRET[4:]}",
        f"550 rejected: {CODED}",
        f"550 rejected: {b64encode(f'{chr(0)}ann{chr(0)}{SECRET}'.encode()).decode()}",
        f"550 rejected: {SECRET.encode().hex(':')}",
        f"421 password was {SECRET}",
    ],
)
@pytest.mark.parametrize("command", ["AUTH", "MAIL", "RCPT", "DATA", "."])
@attack(
    by="network",
    what="A mail server that repeats the password: as it is, in pieces, in base64, in hexadecimal; to any command",
    answer="Its reply is withheld",
)
def test_a_server_that_repeats_the_password_is_not_quoted(reply, command):
    with answering({command: reply}) as port:
        server = MailServer("127.0.0.1", port, "none", "ann", SecretStr(SECRET), 5)
        with smtp_session(server) as session:
            outcome = session.send(make_email(), "ann@example.com")
    assert outcome.status != "sent"
    assert outcome.detail.endswith(f"{reply[:3]} (reply withheld: it contains the password)")


@pytest.mark.parametrize(
    ("replies", "detail"),
    [
        ({"AUTH": f"535 {SECRET}"}, "535 (reply withheld: it contains the password)"),
        ({"AUTH": f"334 {CODED}", "*": f"334 {CODED}"}, "AUTH mechanism infinite loop."),
        ({"AUTH": "334 x"}, "the server's challenge is not base64"),
    ],
)
def test_no_answer_to_a_login_is_quoted_with_the_password(replies, detail):
    with answering(replies) as port:
        server = MailServer("127.0.0.1", port, "none", "ann", SecretStr(SECRET), 5)
        with smtp_session(server) as session:
            outcome = session.send(make_email(), "ann@example.com")
    assert outcome.status == "unreachable"
    assert detail in outcome.detail
    assert SECRET not in outcome.detail
    assert CODED not in outcome.detail


def test_a_login_beyond_ascii_is_a_reason_and_no_exception():
    with answering({}) as port:
        server = MailServer("127.0.0.1", port, "none", "ann", SecretStr("pässword"), 5)
        with smtp_session(server) as session:
            outcome = session.send(make_email(), "ann@example.com")
    assert outcome.detail.endswith("user or password have characters beyond ASCII")


def test_with_a_very_short_password_nothing_is_quoted(smtp_sink):
    smtp_sink.refuse("ann@example.com", 550)
    for password, shown in ((None, "refused for the test"), ("-a1-", "(reply withheld: it may")):
        server = plain_server(smtp_sink, password=password and SecretStr(password))
        with smtp_session(server) as session:
            assert shown in session.send(make_email(), "ann@example.com").detail


@contextmanager
def answering(replies: dict[str, str]) -> Generator[int]:
    """Yield the port of a mail server that answers some commands (``*``: lines after AUTH) as given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer_all, args=(listener, replies), daemon=True).start()
        yield listener.getsockname()[1]


def _answer_all(listener, replies):
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                _answer_commands(connection, replies)


def _answer_commands(connection, replies):
    usual = {"EHLO": "250-here\r\n250 AUTH PLAIN", "AUTH": "235 welcome", "DATA": "354 go on"}
    connection.sendall(b"220 here\r\n")
    in_mail = False
    for line in connection.makefile("r", newline="\r\n"):
        command = line.split()[0].upper() if line.split() else ""
        if in_mail and line != ".\r\n":
            continue
        reply = replies.get(command) or usual.get(command) or replies.get("*", "250 OK")
        connection.sendall(f"{reply.strip()}\r\n".encode())
        in_mail = command == "DATA" and reply.startswith("354")
