"""Apprise is used only for hosts of vendors, or hosts that the operator has listed."""

import pytest
from pydantic import SecretStr

from analytics_worker.delivery.channels.apprise import service_name
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from blocks.notifications import AppriseChannel
from tests.support.attacks import attack
from tests.support.channel_sending import send_now, store_block
from tests.support.ports import free_port

# apprise imports a module that Python 3.13 drops; it brings a replacement there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture
def block(monkeypatch):
    """Store a channel of this address under the name ``team``."""

    def store(url: str) -> None:
        block = AppriseChannel(url=SecretStr(url))
        store_block(monkeypatch, block)

    return store


def test_a_listed_host_is_reached_and_another_is_not(http_sink, monkeypatch, block):
    """Gotify, on a private host."""
    http_sink.answer(200)
    block(f"gotify://127.0.0.1:{http_sink.port}/canarytoken1234")
    assert send_now("team").status == "sent"
    assert "It & more" in http_sink.requests[0].json["message"]
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "")
    settings.cache_clear()
    outcome = send_now("team")
    assert outcome.status == "not_configured"
    assert "OUTBOUND_ALLOWED_HOSTS" in outcome.detail
    assert len(http_sink.requests) == 1


@attack(
    by="API caller",
    what="An apprise service on a host whose DNS answers each look-up differently",
    answer="Hosts that are not in OUTBOUND_ALLOWED_HOSTS are not even looked up",
)
@pytest.mark.parametrize(
    "url",
    [
        "gotify://rebinding.example.com/canarytoken1234",
        "ntfys://rebinding.example.com/canarytoken",
        "apprises://rebinding.example.com/canarytoken",
        "rocket://user:canary@rebinding.example.com/room",
        "workflows://rebinding.example.com:443/643e69f83canary/signaturecanary",
        "matrixs://user:canary@rebinding.example.com/#room",
    ],
)
def test_a_name_that_is_not_listed_is_not_even_looked_up(url, monkeypatch, block):
    """Its DNS server could return one address for the check and another one for apprise."""
    looked_up: list[object] = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *query, **_: looked_up.append(query))
    block(url)
    outcome = send_now("team")
    assert outcome.status == "not_configured"
    assert "rebinding.example.com: apprise opens its own connections" in outcome.detail
    assert "canary" not in outcome.detail
    assert looked_up == []


@attack(
    by="API caller",
    what="apprise's json, xml and form, to post past the webhooks' checks",
    answer="Refused; the message says which channel to use",
)
@pytest.mark.parametrize("url", ["json://127.0.0.1/canary", "xmls://h/canary", "nonsense://canary", "matrix://t2bot:canary"])  # fmt: skip
def test_webhooks_are_refused_as_apprise_channels(url, caplog, capfd):
    with pytest.raises(PermanentError) as refused:
        service_name(SecretStr(url))
    assert "canary" not in f"{refused.value}{caplog.text}{''.join(capfd.readouterr())}"


@attack(
    by="network",
    what="a notification service that fails",
    answer="no token in result and log",
)
def test_a_failure_contains_no_secret(monkeypatch, caplog, block):
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "127.0.0.1")
    settings.cache_clear()
    block(f"gotify://127.0.0.1:{free_port()}/canarytoken1234")
    outcome = send_now("team")
    assert (outcome.status, outcome.outage) == ("temporary", True)
    assert "canary" not in f"{outcome}{caplog.text}"
