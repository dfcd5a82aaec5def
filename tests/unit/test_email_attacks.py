"""Text from data stays text in every field of an email, on a real server."""

import re

import pytest

from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SENT
from analytics_worker.text import printable
from analytics_worker.transport import email_content
from analytics_worker.transport.email import Email
from analytics_worker.transport.email_address import parse_address
from analytics_worker.transport.email_content import Attachment, InlineImage
from analytics_worker.transport.smtp_session import smtp_session
from tests.support.attacks import attack
from tests.support.email_factories import make_email, plain_server
from tests.support.header_attacks import HEADER_ATTACKS, shown
from tests.support.received_emails import assert_is_one_email, part_text
from tests.support.smtp_sink import SmtpSink

every_attack = pytest.mark.parametrize("text", HEADER_ATTACKS.values(), ids=HEADER_ATTACKS.keys())

UNFIT_FOR_NAMES = {
    *map(chr, [*range(32), *range(0x7F, 0xA0)]),
    *"<>\u2028\u2029\u202e\u2066\u2067\u2069\ud800\udcff\udcfe",
}

UNSAVED = '/\\:*?"<>|_'


@pytest.fixture(scope="module")
def sink():
    """One server for all attacks of this file."""
    started = SmtpSink()
    started.start()
    yield started
    started.stop()


def sent(sink: SmtpSink, mail: Email):
    sink.messages.clear()
    with smtp_session(plain_server(sink)) as session:
        assert session.send(mail, "ann@example.com") == SENT
    (received,) = sink.messages
    assert received.recipients == ["ann@example.com"]
    return received


@attack(
    by="data",
    what="A value in a subject that holds a header: encoded words, line ends, control characters, 75 texts",
    answer="Arrives as text; the raw headers have the expected fields, both of Python's parsers show the value",
)
@every_attack
def test_a_subject(sink, text):
    received = sent(sink, make_email(subject=f"[CRITICAL] r: {text}"))
    mail = assert_is_one_email(
        received, shown(f"[CRITICAL] r: {text}"), "Content-Transfer-Encoding"
    )
    assert received.content.endswith(b"\r\n\r\nIt fell.\r\n")
    assert str(mail["To"]) == "ann@example.com"


@attack(
    by="data",
    what="The same values as the name of an attached file, with quotes, semicolons and folders",
    answer="Arrives as the file's name without a folder, encoded by RFC 2231",
)
@every_attack
def test_the_name_of_a_file(sink, text):
    received = sent(sink, make_email(attachments=(Attachment(text, b"a,b", "text/csv"),)))
    mail = assert_is_one_email(received, "Pipeline fell")
    (part,) = mail.iter_attachments()  # pyright: ignore[reportAttributeAccessIssue]
    name = part.get_filename()
    assert name == email_content.file_name(text)
    assert re.search(r'^[.]|[/\\:*?"<>|]', name) is None
    expected = shown(text, 200) or "attachment"
    assert [c for c in name if c != "_"] == [c for c in expected.lstrip(".") if c not in UNSAVED]
    assert part.get_payload(decode=True) == b"a,b"


@attack(
    by="author",
    what="The same values as the display name of a sender or a recipient",
    answer="Refused as that address's own error, or shown as the name; no second address",
)
@every_attack
def test_a_display_name(sink, text):
    named = f"{text} <worker@example.com>"
    if set(text) & UNFIT_FOR_NAMES:
        with pytest.raises(PermanentError, match="is not a valid email address") as refused:
            parse_address(named)
        assert str(refused.value).isprintable()
        return
    address = parse_address(named)
    received = sent(sink, make_email(sender=named, to=(named.replace("worker", "ann"),)))
    mail = assert_is_one_email(received, "Pipeline fell", "Content-Transfer-Encoding")
    for name in ("From", "To"):
        (found,) = mail[name].addresses  # pyright: ignore[reportAttributeAccessIssue]
        assert found.addr_spec == {"From": "worker@example.com", "To": "ann@example.com"}[name]
        # Python's parser keeps the spaces between encoded words of a name.
        assert found.display_name.replace(" ", "") == shown(address.display_name, 2000).replace(
            " ", ""
        )


@attack(
    by="data",
    what="The same values in the text and in the HTML of an email, as the name of an image, with a boundary, with the end of an email",
    answer="No additional part or email; control characters and overrides of the direction are shown as a replacement character",
)
@every_attack
def test_bodies(sink, text):
    image = InlineImage(text, b"x")
    received = sent(sink, make_email(text=f"x\n{text}", html=f"<p>{text}", images=(image,)))
    mail = assert_is_one_email(received, "Pipeline fell")
    assert [part.get_content_type() for part in mail.walk() if not part.is_multipart()] == [
        *("text/plain", "text/html", "image/png")
    ]
    for kind, start in (("text/plain", "x\n"), ("text/html", "<p>")):
        content = part_text(mail, kind)
        assert (
            content.splitlines()
            == f"{start}{printable(text)}".split("\n")[: len(content.splitlines())]
        )
        assert all(c.isprintable() or c in "\r\n\t\xa0\u200d" for c in content)
