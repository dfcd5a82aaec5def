"""A mail server of an API caller: permitted addresses and ports only, and no banner is quoted."""

import pytest
from pydantic import SecretStr

from analytics_worker.delivery.routing import channel
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from blocks.notifications import EmailChannel
from tests.support.attacks import attack
from tests.support.banners import BANNERS, banner_server
from tests.support.channel_sending import send_now, store_block


@pytest.fixture
def block(monkeypatch):
    """Store a channel on this server under the name ``team``, and permit its port."""

    def store(host: str, port: int, allowed: str = "", password: SecretStr | None = None) -> None:
        stored = EmailChannel(
            host=host,
            port=port,
            security="none",
            user="u" if password else None,
            password=password,
            sender="a@example.com",
        )
        store_block(monkeypatch, stored)
        monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", allowed)
        monkeypatch.setenv("EMAIL_ALLOWED_PORTS", f"25,{port}")
        settings.cache_clear()

    return store


@attack(
    by="API caller",
    what="An Email Channel on a host inside the network, by any spelling or name",
    answer="Refused as the worker is about to connect; the address of a name is not disclosed",
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "::ffff:127.0.0.1"])  # fmt: skip
def test_a_mail_server_inside_the_network_is_refused(host, smtp_sink, block):
    block(host, smtp_sink.port)
    outcome = send_now("team")
    assert (outcome.status, smtp_sink.connections) == ("not_configured", 0)
    assert "OUTBOUND_ALLOWED_HOSTS" in outcome.detail
    if host == "localhost":
        assert "127.0.0.1" not in outcome.detail


@pytest.mark.parametrize("allowed", ["127.0.0.0/8", "localhost"])
def test_a_listed_mail_server_is_used(allowed, smtp_sink, block):
    block(smtp_sink.host, smtp_sink.port, allowed)
    assert send_now("team").status == "sent"


def test_the_operator_s_own_mail_server_is_used_by_blocks_too(smtp_sink, block, monkeypatch):
    block(smtp_sink.host, smtp_sink.port)
    monkeypatch.setenv("EMAIL_ALLOWED_PORTS", "25")
    monkeypatch.setenv("ALERT_EMAIL_HOST", smtp_sink.host)
    monkeypatch.setenv("ALERT_EMAIL_PORT", str(smtp_sink.port))
    settings.cache_clear()
    assert send_now("team").status == "sent"


def test_the_mail_server_of_the_settings_may_be_inside_the_network(smtp_sink, monkeypatch):
    monkeypatch.setenv("ALERT_EMAIL_HOST", smtp_sink.host)
    monkeypatch.setenv("ALERT_EMAIL_PORT", str(smtp_sink.port))
    monkeypatch.setenv("ALERT_EMAIL_TLS", "none")
    monkeypatch.setenv("ALERT_EMAIL_FROM", "a@example.com")
    assert send_now("email").status == "sent"


@attack(
    by="API caller",
    what="Email Channels on one port after another, to see what listens",
    answer="Only 25, 465, 587 and 2525 are connected to, unless EMAIL_ALLOWED_PORTS lists others",
)
@pytest.mark.parametrize("port", [22, 80, 443, 4200, 5432, 6379, 8000])
def test_other_ports_are_refused(port, block, monkeypatch):
    block("mail.example.com", port)
    monkeypatch.delenv("EMAIL_ALLOWED_PORTS")
    settings.cache_clear()
    with pytest.raises(PermanentError, match=f"Port {port} .* one of 25, 465, 587, 2525"):
        channel("team")


@attack(
    by="API caller",
    what="An Email Channel on SSH, FTP, Redis or MySQL, to read its banner in the error",
    answer="Nothing of it is repeated before the host has answered as an SMTP server",
)
@pytest.mark.parametrize("banner", BANNERS)
def test_a_banner_is_not_repeated(banner, block):
    with banner_server(banner, b"530 canary: log in first\r\n") as port:
        block("127.0.0.1", port, "127.0.0.1")
        outcome = send_now("team")
    assert outcome.status == "unreachable"
    assert "canary" not in outcome.detail
    assert "instead of an SMTP greeting" in outcome.detail or "unexpectedly" in outcome.detail


def test_a_code_of_smtp_is_shown(block):
    with banner_server(b"554 canary: you are on a list\r\n") as port:
        block("127.0.0.1", port, "127.0.0.1")
        detail = send_now("team").detail
    assert detail.endswith("answered 554 instead of an SMTP greeting")


def test_the_reply_of_an_smtp_server_is_shown(smtp_sink, block):
    block(smtp_sink.host, smtp_sink.port, "127.0.0.1", SecretStr("secret"))
    smtp_sink.refuse("ann@example.com", 550)
    detail = send_now("team").detail
    assert "secret" not in detail
    block(smtp_sink.host, smtp_sink.port, "127.0.0.1")
    assert send_now("team").detail == "550 refused for the test"
