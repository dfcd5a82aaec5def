"""The finished bytes of an email are checked; an invalid email is not sent."""

import pytest

from analytics_worker.send_result import SENT
from analytics_worker.transport import email, email_content
from analytics_worker.transport.email_check import UnsafeEmailError, check_content, check_headers
from analytics_worker.transport.email_content import Attachment
from analytics_worker.transport.smtp_session import smtp_session
from tests.support.attacks import attack
from tests.support.email_factories import make_email, plain_server
from tests.support.header_attacks import EVIL


@attack(
    by="data",
    what="An encoder that writes a value unchanged, as the email package of Python 3.11.7 and 3.12.1 does",
    answer="The finished bytes are checked: a permanent error of that email; the next one is sent",
)
@pytest.mark.parametrize(
    "text", ["x\r\nBcc: evil@attacker.example", "x\r\n\r\n<h1>pay", "x\nBcc: e", "x\0"]
)
def test_invalid_headers_are_not_sent(smtp_sink, monkeypatch, text):
    def careless(name: str, value: str) -> str:
        return f"{name}: {value.replace('!', text)}\r\n"

    monkeypatch.setattr(email, "text_field", careless)
    with smtp_session(plain_server(smtp_sink)) as session:
        outcome = session.send(make_email(subject="!"), "ann@example.com")
        assert session.send(make_email(subject="fine"), "ann@example.com") == SENT
    assert (outcome.status, len(smtp_sink.messages)) == ("permanent", 1)
    assert "its bytes are not safe" in outcome.detail
    assert EVIL not in outcome.detail


def test_an_invalid_part_is_not_sent(smtp_sink, monkeypatch):
    def careless(kind: str, filename: str) -> str:
        return f'Content-Disposition: {kind}; filename="{filename}"\r\nReply-To: e@x.example\r\n'

    monkeypatch.setattr(email_content, "disposition_field", careless)
    with smtp_session(plain_server(smtp_sink)) as session:
        outcome = session.send(make_email(attachments=(Attachment("a", b"x"),)), "ann@example.com")
        assert session.send(make_email(), "ann@example.com") == SENT
    assert (outcome.status, len(smtp_sink.messages)) == ("permanent", 1)


GOOD = b"Subject: x\r\n y\r\nTo: a@b.de\r\n"


def test_valid_headers_pass():
    check_headers(GOOD, ["Subject", "To"])


@pytest.mark.parametrize(
    "head",
    [
        GOOD + b"Bcc: e@x.de\r\n",
        GOOD + b"To: e@x.de\r\n",
        GOOD + b"\r\n",
        GOOD + b"\r\nbody\r\n",
        GOOD.replace(b"\r\n y", b"\r\ny"),
        GOOD.replace(b"\r\n y", b"\r\n \r\n y"),
        GOOD.replace(b"\r\n y", b"\r\n\ty"),
        GOOD.replace(b" y", b" \x0by"),
        GOOD.replace(b" y", b" \0y"),
        GOOD.replace(b" y", b" \ry"),
        GOOD.replace(b" y", b" \ny"),
        GOOD.replace(b"Subject: x", b"Subject : x"),
        GOOD.replace(b"Subject: x", b" x"),
        GOOD.replace(b"x", b"x" * 998),
        GOOD.replace(b"x", "ü".encode()),
        GOOD.replace(b"To:", b"Cc:"),
        GOOD[:-2],
        b"",
    ],
)
def test_unexpected_headers_are_refused(head):
    with pytest.raises(UnsafeEmailError):
        check_headers(head, ["Subject", "To"])


PARTS = (
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b\r\nContent-Type: text/csv\r\n\r\ny\r\n--b--\r\n"
)


def test_valid_parts_pass():
    check_content(PARTS, 2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"x\r\n", b"x\r\n--b\r\nContent-Type: text/html\r\n\r\n<h1>\r\n"),
        (b"\r\n--b--", b""),
        (b"text/csv", b"text/csv\r\nReply-To: e@x.de"),
        (b"text/csv", b"text/csv\r\nContent-Type: text/html"),
        (b"Content-Type: text/csv\r\n", b""),
        (b"x\r\n", b"x\n"),
        (b"x\r\n", b"\0\r\n"),
        (b"x\r\n", b"x" * 999 + b"\r\n"),
    ],
)
def test_unexpected_parts_are_refused(old, new):
    assert old in PARTS
    with pytest.raises(UnsafeEmailError):
        check_content(PARTS.replace(old, new, 1), 2)
