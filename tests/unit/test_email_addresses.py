"""A recipient that is not a valid address never reaches a server."""

import pytest

from analytics_worker.send_result import SENT
from analytics_worker.transport.smtp_session import smtp_session
from tests.support.attacks import attack
from tests.support.email_factories import make_email, plain_server
from tests.support.smtp_sink import SmtpSink


@attack(
    by="API caller",
    what="A recipient with a line end, spaces, quotes, brackets, SMTP parameters, a leading dash, an encoded word, or too long",
    answer="Refused before a connection is opened, as that recipient's own error",
)
@pytest.mark.parametrize(
    "recipient",
    [
        "ann@example.com>\r\nRCPT TO:<evil@attacker.example",
        "ann@example.com\r\nDATA",
        "ann@example.com\nRSET",
        "ann@example.com\r",
        "ann@example.com> NOTIFY=SUCCESS",
        "<ann@example.com> NOTIFY=SUCCESS ORCPT=rfc822;evil@attacker.example",
        "ann@example.com NOTIFY=NEVER",
        "ann@example.com SIZE=1",
        "ann lee@example.com",
        '"ann"@example.com',
        '"a\\" b"@example.com',
        "<ann@example.com",
        "ann@example.com>",
        "<<ann@example.com>>",
        "<ann@example.com> <evil@attacker.example>",
        "ann@example.com, evil@attacker.example",
        "ann@example.com;evil@attacker.example",
        "all: ann@example.com;",
        "@relay.example:ann@example.com",
        "ann%evil@attacker.example@example.com",
        "-oX/tmp/x@example.com",
        "=?utf-8?q?=0d=0aBcc=3A_x?=@example.com",
        "ann\x00@example.com",
        "ann\x7f@example.com",
        "ann\u202e@example.com",
        "ann\u2028@example.com",
        "ann\ud800@example.com",
        "an\u00adn@example.com",
        "ann@exa\u202emple.com",
        "ann@example.com\u0000",
        "ann@-example.com",
        "ann@example..com",
        "ann@[127.0.0.1]",
        "ann@example\uff0ecom\uff1e",
        "ann@" + "x" * 64 + ".com",
        "a" * 65 + "@example.com",
        "é" * 33 + "@example.com",
        "ann@" + ".".join(["x" * 60] * 5),
        ".ann@example.com",
        "ann.@example.com",
        "ann(comment)@example.com",
        "",
        "   ",
        "@",
    ],
)
def test_a_recipient_that_is_not_a_valid_address_is_refused(smtp_sink, recipient):
    with smtp_session(plain_server(smtp_sink)) as session:
        outcome = session.send(make_email(), recipient)
    assert outcome.status == "permanent"
    assert "is not a valid email" in outcome.detail
    assert outcome.detail.isprintable()
    assert (smtp_sink.connections, smtp_sink.messages) == (0, [])


def test_an_address_beyond_ascii_fails_only_its_own_recipient(request):
    """Without SMTPUTF8, the other recipients get the email, whose header names all of them."""
    sink = SmtpSink(smtputf8=False)
    sink.start()
    request.addfinalizer(sink.stop)
    both = ("ann@example.com", "Zoë <zoë@example.com>")
    with smtp_session(plain_server(sink)) as session:
        outcomes = [session.send(make_email(to=both), each) for each in both]
    assert [outcome.status for outcome in outcomes] == ["sent", "permanent"]
    assert "SMTPUTF8" in outcomes[1].detail
    (received,) = sink.messages
    assert received.content.isascii()
    assert [a.addr_spec for a in received.mail["To"].addresses] == ["ann@example.com"]
    assert received.mail["To"].groups[1].display_name == "Zoë zoë@example.com"


def test_an_address_beyond_ascii_is_sent_to_a_server_that_supports_it(smtp_sink):
    with smtp_session(plain_server(smtp_sink)) as session:
        mail = make_email(sender="Zoë <zoë@example.com>")
        assert session.send(mail, "ann@example.com") == SENT
    (received,) = smtp_sink.messages
    assert "From: =?utf-8?q?Zo=C3=AB?= <zoë@example.com>\r\n".encode() in received.content
