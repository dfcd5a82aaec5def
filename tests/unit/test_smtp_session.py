"""Emails arrive unchanged, once per recipient, on one connection, never with less security than configured."""

import socket
import threading
import time
from contextlib import suppress
from smtplib import SMTPException

import pytest
from pydantic import SecretStr

from analytics_worker.send_result import SENT
from analytics_worker.settings import settings
from analytics_worker.transport import tls
from analytics_worker.transport.email_content import Attachment
from analytics_worker.transport.smtp import MailServer, connect
from analytics_worker.transport.smtp_session import configured_mail_server, smtp_session
from tests.support.attacks import attack
from tests.support.certificates import Certificate
from tests.support.email_factories import make_email, numbered_email, plain_server
from tests.support.smtp_sink import SmtpSink

SECRET = "canary-5b1d"


@pytest.fixture
def sink_with(request):
    """Start a sink with options, and stop it after the test."""

    def start(**options) -> SmtpSink:
        sink = SmtpSink(**options)
        sink.start()
        request.addfinalizer(sink.stop)
        return sink

    return start


@pytest.fixture
def trusted(certificate: Certificate, monkeypatch):
    """Trust the certificate of the tests in this process."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    tls.default_ssl_context.cache_clear()
    yield certificate
    tls.default_ssl_context.cache_clear()


def test_many_emails_share_one_connection(smtp_sink):
    data = Attachment("report.csv", b"a,b\n" * 1000, "text/csv")
    with smtp_session(plain_server(smtp_sink)) as session:
        mails = [numbered_email(n, attachments=(data,)) for n in range(20)]
        assert [session.send(m, f"r{m.message_id[1:-6]}@example.com") for m in mails] == [SENT] * 20
    assert smtp_sink.connections == 1
    assert smtp_sink.ids() == [m.message_id for m in mails]
    arrived = next(smtp_sink.messages[7].mail.iter_attachments())
    assert (arrived.get_filename(), arrived.get_content()) == ("report.csv", "a,b\n" * 1000)


def test_a_refused_recipient_does_not_affect_the_others(smtp_sink):
    smtp_sink.refuse("gone@example.com", 550)
    smtp_sink.refuse("full@example.com", 452)
    everybody = ("ann@example.com", "gone@example.com", "full@example.com", "bob@example.com")
    mail = make_email(to=everybody)
    with smtp_session(plain_server(smtp_sink)) as session:
        outcomes = [session.send(mail, recipient) for recipient in everybody]
    assert [o.status for o in outcomes] == ["sent", "permanent", "temporary", "sent"]
    assert [o.code for o in outcomes] == [None, 550, 452, None]
    assert outcomes[1].detail == "550 refused for the test"
    assert not any(o.outage for o in outcomes)
    assert [m.recipients for m in smtp_sink.messages] == [["ann@example.com"], ["bob@example.com"]]
    assert smtp_sink.connections == 1


def test_a_connection_lost_between_emails_is_opened_again(smtp_sink):
    with smtp_session(plain_server(smtp_sink)) as session:
        assert session.send(numbered_email(1), "ann@example.com") == SENT
        smtp_sink.stop()
        smtp_sink.start()
        assert session.send(numbered_email(2), "ann@example.com") == SENT
    assert smtp_sink.ids() == ["<1@test>", "<2@test>"]


def test_a_connection_lost_within_an_email_is_a_temporary_failure_and_not_repeated(smtp_sink):
    smtp_sink.drop_next_data = True
    with smtp_session(plain_server(smtp_sink)) as session:
        outcome = session.send(numbered_email(1), "ann@example.com")
        assert (outcome.status, outcome.outage) == ("temporary", True)
        assert smtp_sink.messages == []
        assert session.send(numbered_email(1), "ann@example.com") == SENT
    assert smtp_sink.ids() == ["<1@test>"]


def test_an_unavailable_server_is_unreachable(smtp_sink):
    smtp_sink.stop()
    with smtp_session(plain_server(smtp_sink)) as session:
        outcome = session.send(make_email(), "ann@example.com")
    assert (outcome.status, outcome.outage) == ("unreachable", True)
    assert outcome.detail == f"mail server 127.0.0.1:{smtp_sink.port}: Connection refused"


def test_starttls_secures_the_connection(sink_with, trusted):
    sink = sink_with(tls=trusted.context())
    with smtp_session(plain_server(sink, security="starttls")) as session:
        assert session.send(make_email(), "ann@example.com") == SENT


def test_tls_from_the_first_byte(sink_with, trusted):
    sink = sink_with(tls=trusted.context(), implicit_tls=True)
    with smtp_session(plain_server(sink, security="tls")) as session:
        assert session.send(make_email(), "ann@example.com") == SENT


@attack(
    by="network",
    what="STARTTLS removed from a mail server's response",
    answer="Nothing is sent, neither login nor email",
)
def test_without_starttls_nothing_is_sent(smtp_sink):
    server = plain_server(smtp_sink, security="starttls", user="ann", password=SecretStr(SECRET))
    with smtp_session(server) as session:
        outcome = session.send(make_email(), "ann@example.com")
    assert (outcome.status, smtp_sink.messages) == ("unreachable", [])
    assert "STARTTLS" in outcome.detail


@attack(
    by="network",
    what="A mail server with an untrusted certificate",
    answer="Nothing is sent",
)
def test_with_an_untrusted_certificate_nothing_is_sent(sink_with, certificate):
    sink = sink_with(tls=certificate.context())
    with smtp_session(plain_server(sink, security="starttls")) as session:
        outcome = session.send(make_email(), "ann@example.com")
    assert (outcome.status, sink.messages) == ("unreachable", [])
    assert "certificate verify failed" in outcome.detail.lower()


@pytest.mark.parametrize(("password", "status"), [(SECRET, "sent"), ("wrong", "unreachable")])
def test_login(sink_with, trusted, password, status):
    sink = sink_with(tls=trusted.context(), login=("ann", SECRET))
    server = plain_server(sink, security="starttls", user="ann", password=SecretStr(password))
    with smtp_session(server) as session:
        outcome = session.send(make_email(), "ann@example.com")
    assert outcome.status == status
    assert outcome.code == (None if status == "sent" else 535)
    assert password not in f"{outcome}{server}{server!r}"


def test_the_server_of_the_settings_is_used(monkeypatch):
    monkeypatch.setenv("ALERT_EMAIL_HOST", "mail.example.com")
    monkeypatch.setenv("ALERT_EMAIL_PASSWORD", SECRET)
    settings.cache_clear()
    server = configured_mail_server()
    assert (server.host, server.port, server.security) == ("mail.example.com", 587, "starttls")
    assert SECRET not in repr(server)


@attack(
    by="network",
    what="A mail server whose greeting never ends: endless lines, or a byte at a time",
    answer="Stopped at 64 KiB, or when the time for the whole reply is over",
)
@pytest.mark.parametrize(("chunk", "pause"), [(b"220-" + b"a" * 7000 + b"\r\n", 0.0), (b"2", 0.2)])
def test_the_size_and_time_of_a_reply_are_limited(chunk, pause):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_chatter, args=(listener, chunk, pause), daemon=True).start()
        server = MailServer("127.0.0.1", listener.getsockname()[1], "none", timeout_seconds=1)
        with pytest.raises((SMTPException, OSError)):
            connect(server)


def _chatter(listener, chunk, pause):
    connection, _ = listener.accept()
    with connection, suppress(OSError):
        while True:
            connection.sendall(chunk)
            time.sleep(pause)
