"""The bytes of an email have no injected header, the exact size, and can be parsed again."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_worker.errors import PermanentError
from analytics_worker.transport.email import Email, encoded_size, headers
from analytics_worker.transport.email_address import parse_address
from analytics_worker.transport.email_content import Attachment, InlineImage, encode
from analytics_worker.transport.smtp_session import _dot_stuffed, smtp_session
from tests.support.attacks import attack
from tests.support.email_factories import make_email, plain_server

TEXTS = st.text(max_size=300)


def parsed(mail: Email):
    return message_from_bytes(headers(mail) + encode(mail.content), policy=policy.default)


@given(subject=TEXTS)
def test_a_subject_stays_one_header_whatever_it_holds(subject):
    mail = parsed(make_email(subject=subject))
    known = set(parsed(make_email()).keys())
    assert set(mail.keys()) <= known
    assert mail["To"] == "ann@example.com"


def test_a_subject_with_a_header_in_it_is_text():
    mail = parsed(make_email(subject="Fell\r\nBcc: eve@example.com\r\n\r\nbody"))
    assert (mail["Bcc"], mail["Subject"]) == (None, "Fell Bcc: eve@example.com body")


@attack(
    by="data",
    what="A line end in an address, a Message-ID or the thread of an email",
    answer="Refused before anything is sent",
)
@pytest.mark.parametrize(
    "field", ["message_id", "sender", "to", "cc", "thread"], ids=lambda name: name
)
@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\u2028", "\x85"])
def test_line_breaks_elsewhere_are_refused(field, line_break):
    value = f"<1@test>{line_break}Bcc: eve@example.com"
    mail = make_email(**{field: (value,) if field in {"to", "cc"} else value})
    with pytest.raises(PermanentError, match="not a valid"):
        headers(mail)


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x00"])
def test_line_breaks_in_a_name_are_refused(line_break):
    with pytest.raises(PermanentError, match="not a valid email address"):
        parse_address(f"Ann{line_break}Bcc: eve@example.com <ann@example.com>")


def test_a_recipient_with_a_line_break_is_refused_before_anything_is_sent(smtp_sink):
    with smtp_session(plain_server(smtp_sink)) as session:
        outcome = session.send(make_email(), "ann@example.com>\r\nRCPT TO:<eve@example.com")
    assert (outcome.status, smtp_sink.connections) == ("permanent", 0)


@pytest.mark.parametrize(
    "text", ["", "ann", "ann@", "@b", "a b@c.de", "a@b@c", "<a@b> <c@d>", "a..b@c.de", ".a@c.de"]
)
def test_an_invalid_address_is_refused(text):
    with pytest.raises(PermanentError, match="not a valid email address"):
        parse_address(text)


def test_international_names_and_domains():
    mail = make_email(to=("Zoë Müller <zoe@bücher.example>",), subject="Umsatz fällt 📉")
    assert headers(mail).isascii()
    assert str(parsed(mail)["To"]) == "Zoë Müller <zoe@xn--bcher-kva.example>"
    assert parsed(mail)["Subject"] == "Umsatz fällt 📉"


def test_no_vacation_notice_answers():
    assert parsed(make_email())["Auto-Submitted"] == "auto-generated"


def test_bcc_is_in_no_header():
    assert b"eve" not in headers(make_email(bcc=("eve@example.com",)))
    assert parsed(make_email(to=(), bcc=("e@x.de",)))["To"] == "undisclosed-recipients:;"


def test_an_email_of_a_thread_refers_to_it():
    mail = parsed(make_email(thread="<0@test>"))
    assert (mail["References"], mail["In-Reply-To"]) == ("<0@test>", "<0@test>")


@given(text=TEXTS, html=st.none() | TEXTS, data=st.binary(max_size=500))
def test_the_size_is_known_before_anything_is_encoded(text, html, data):
    files = (Attachment("a.bin", data), Attachment("ü.csv", data * 3, "text/csv"))
    mail = make_email(text=text, html=html, attachments=files)
    assert encoded_size(mail) == len(headers(mail)) + len(encode(mail.content))


def test_a_file_is_an_attachment(tmp_path: Path):
    (tmp_path / "report.csv").write_bytes(b"a,b\n")
    file = Attachment("Bericht\r\nX: ü.csv", tmp_path / "report.csv", "text/csv")
    mail = make_email(attachments=(file,))
    assert encoded_size(mail) == len(headers(mail)) + len(encode(mail.content))
    (part,) = parsed(mail).iter_attachments()
    assert (part.get_filename(), part["X"]) == ("Bericht X_ ü.csv", None)
    (tmp_path / "report.csv").unlink()
    with pytest.raises(PermanentError, match=r"attachment report.csv: No such file"):
        encode(mail.content)


def test_html_comes_with_its_images():
    chart = InlineImage("chart", b"\x89PNG")
    mail = parsed(make_email(html='<img src="cid:chart">', images=(chart,)))
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().split() == ["It", "fell."]
    assert "cid:chart" in html.get_content()
    (image,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert (image["Content-ID"], image.get_content()) == ("<chart>", b"\x89PNG")


@attack(
    by="data",
    what="Dots and line ends in a body that would end the email and inject SMTP commands",
    answer="Dots are doubled, line ends are CRLF: everything stays part of the body",
)
@given(text=st.text(alphabet="\r\n. aä", max_size=60))
def test_no_body_can_end_the_email_early(text):
    wire = _dot_stuffed(make_email(text=text).content)
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", wire) is None
    assert b"\r\n.\r\n" not in wire


def test_emails_of_one_report_differ_in_their_message_id_only():
    first = make_email(message_id="<one@example.com>", date=datetime(2026, 11, 1, tzinfo=UTC))
    second = replace(first, message_id="<two@example.com>")
    assert parsed(second)["Message-ID"] == "<two@example.com>"
    assert headers(second).replace(b"<two@", b"<one@") == headers(first)
    assert parsed(replace(second, subject="Another"))["Subject"] == "Another"


@pytest.mark.parametrize("media_type", ["text/html", "text/plain", "text/csv", "application/pdf"])
def test_a_file_that_could_be_a_body_is_an_attachment_before_others(media_type):
    """The email package asks such a file for its disposition when the next one is attached."""
    files = (
        Attachment("Отчёт.x", b"first", media_type),
        Attachment("second.pdf", b"second", "application/pdf"),
    )
    content = make_email().content._replace(attachments=files)
    mail = message_from_bytes(headers(make_email()) + encode(content), policy=policy.default)
    attached = [(part.get_filename(), part.get_content_type()) for part in mail.iter_attachments()]
    assert attached == [("Отчёт.x", media_type), ("second.pdf", "application/pdf")]
