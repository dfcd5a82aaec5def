"""Read received emails strictly: their raw lines, and the results of two parsers of Python."""

import email
import re
from email import policy
from email.header import decode_header, make_header
from email.message import Message

from tests.support.smtp_sink import Received

HEADERS = [
    "Message-ID",
    "Date",
    "From",
    "To",
    "Subject",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
]
MIME = ["MIME-Version", "Content-Type"]
PART = {*MIME, "Content-Transfer-Encoding", "Content-Disposition", "Content-ID"}


def raw_names(headers: bytes) -> list[str]:
    """Names of the fields of a head, read line by line; a line that is none fails."""
    names = list[str]()
    for line in headers.split(b"\r\n"):
        assert re.search(rb"[\r\n\0]", line) is None
        assert len(line) <= 998
        if not line.startswith(b" "):
            assert re.match(rb"[A-Za-z-]+:", line), line
            names.append(line.partition(b":")[0].decode())
    return names


def assert_is_one_email(received: Received, subject: str, *extra: str) -> Message:
    """Check the raw bytes and both parsers; return the email as the modern one parses it."""
    headers, blank, _ = received.content.partition(b"\r\n\r\n")
    assert blank
    names = raw_names(headers)
    assert sorted(names) == sorted({*HEADERS, *MIME, *extra, *names[len(HEADERS) :]} - {""})
    assert set(names[len(HEADERS) :]) <= {*MIME, "Content-Transfer-Encoding"}
    modern = email.message_from_bytes(received.content, policy=policy.default)
    old = email.message_from_bytes(received.content, policy=policy.compat32)
    for parsed in (modern, old):
        assert parsed.keys() == names
        assert decoded(parsed, "Subject") == subject
        for part in parsed.walk():
            assert part is parsed or set(part.keys()) <= PART
            assert part.defects == []
    return modern


def decoded(message: Message, name: str) -> str:
    """A field of free text as a person sees it."""
    value = message[name]
    if message.policy is not policy.compat32:
        return str(value)
    return str(make_header(decode_header(value.replace("\r\n", "").replace("\n", ""))))


def part_text(message: Message, kind: str) -> str:
    """The text of the first part of this type."""
    part = next(part for part in message.walk() if part.get_content_type() == kind)
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()
