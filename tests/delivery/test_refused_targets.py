"""A message that this host's configuration refuses waits for the correction; nothing is sent meanwhile."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from analytics_worker.circuit_breaker import external_circuit_breaker
from analytics_worker.cli.channels import channels
from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import deliver_due
from analytics_worker.delivery.message import Recipient
from analytics_worker.delivery.outbox import waiting_for_configuration
from analytics_worker.doctor.host import variables
from analytics_worker.settings import settings
from analytics_worker.transport import tls
from blocks.notifications import (
    AppriseChannel,
    ChannelBlock,
    EmailChannel,
    SlackChannel,
    TeamsChannel,
    WebhookChannel,
)
from tests.support.attacks import attack
from tests.support.channel_sending import store_block
from tests.support.deliveries import Deliveries, email_recipient, webhook_recipient

# apprise imports a module that Python 3.13 drops; it brings a replacement there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def allow(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", hosts)
    settings.cache_clear()


@pytest.fixture
def deliveries(default_channels) -> Deliveries:
    """An empty outbox; the default channels lead to the sinks."""
    del default_channels
    return Deliveries()


@pytest.fixture
def refused(deliveries, monkeypatch):
    """The outbox of a host that may not reach the default webhook."""
    allow(monkeypatch, "")
    return deliveries


def default_channel_finding():
    return next(each for each in variables() if each.name == "default channel")


@pytest.mark.parametrize("domain", ["alerts", "reports", "monitoring"])
def test_a_refused_message_is_sent_after_the_correction(refused, http_sink, monkeypatch, domain):
    for number in range(3):
        refused.add(webhook_recipient(), key=f"k{number}", domain=domain)
    counts = deliver_due(domain)
    assert (counts["not_configured"], counts["failed"], http_sink.connections) == (3, 0, 0)
    rows = [refused.row(f"k{number}") for number in range(3)]
    assert {(row["status"], row["attempts"]) for row in rows} == {("pending", 0)}
    assert all("add it to OUTBOUND_ALLOWED_HOSTS" in row["last_error"] for row in rows)
    allow(monkeypatch, "127.0.0.1")
    assert deliver_due(domain)["sent"] == 0, "they wait for some minutes"
    refused.let_time_pass()
    assert deliver_due(domain)["sent"] == 3
    assert len(http_sink.requests) == 3
    with warehouse() as connection:
        assert waiting_for_configuration(connection) == []


def test_the_wait_is_reported_from_its_start_and_ends_with_a_notice(refused):
    refused.add(webhook_recipient(), key="k", owner="ann@example.com")
    deliver_due()
    (first,) = refused.run("select not_configured_since as since from ops.delivery_channels")
    refused.let_time_pass()
    assert deliver_due()["not_configured"] == 1
    (second,) = refused.run("select not_configured_since as since from ops.delivery_channels")
    assert first == second
    with warehouse() as connection:
        (waiting,) = waiting_for_configuration(connection)
    assert (waiting.channel, waiting.messages) == ("webhook", 1)
    assert "OUTBOUND_ALLOWED_HOSTS" in str(waiting.reason)
    assert external_circuit_breaker("channel-webhook").current_state == "closed"
    refused.age(timedelta(hours=25))
    counts = deliver_due()
    assert (counts["failed"], counts["sent"]) == (1, 1), "the owner is notified by email"


@attack(
    by="API caller",
    what="A channel block of any type whose address is inside the network, used for many messages",
    answer="All wait for the operator's permission; no connection is opened",
)
@pytest.mark.parametrize("kind", ["webhook", "slack", "teams", "email", "apprise"])
def test_no_type_of_channel_fails_or_connects(refused, http_sink, smtp_sink, monkeypatch, kind):
    url = SecretStr(f"{http_sink.url}/canary")
    blocks: dict[str, ChannelBlock] = {
        "webhook": WebhookChannel(url=url),
        "slack": SlackChannel(url=url),
        "teams": TeamsChannel(url=url),
        "email": EmailChannel(
            host="localhost", port=smtp_sink.port, security="none", sender="a@b.example"
        ),
        "apprise": AppriseChannel(url=SecretStr(f"gotify://127.0.0.1:{http_sink.port}/canary1234")),
    }
    monkeypatch.setenv("EMAIL_ALLOWED_PORTS", str(smtp_sink.port))
    settings.cache_clear()
    store_block(monkeypatch, blocks[kind])
    for number in range(2):
        refused.add(Recipient("team", "ann@example.com"), key=f"k{number}")
    assert deliver_due()["not_configured"] == 2
    assert refused.statuses() == ["pending", "pending"]
    assert (http_sink.connections, smtp_sink.connections) == (0, 0)
    assert "canary" not in refused.row("k0")["last_error"]


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("ALERT_WEBHOOK_SECRET", "whsec_canary", "ALERT_WEBHOOK_SECRET"),
        ("OUTBOUND_ALLOWED_HOSTS", "10.0.0.0/99", "'10.0.0.0/99' is not a valid entry"),
    ],
)
def test_a_mistake_in_a_variable_counts_no_attempt(
    deliveries, http_sink, monkeypatch, variable, value, reason
):
    monkeypatch.setenv(variable, value)
    settings.cache_clear()
    deliveries.add(webhook_recipient(), key="k")
    assert deliver_due()["not_configured"] == 1
    row = deliveries.row("k")
    assert (row["status"], row["attempts"], http_sink.connections) == ("pending", 0, 0)
    assert reason in row["last_error"]
    assert "canary" not in row["last_error"]


def test_certificates_that_are_missing_count_no_attempt(deliveries, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("ALERT_EMAIL_TLS", "tls")
    settings.cache_clear()
    tls.default_ssl_context.cache_clear()
    deliveries.add(email_recipient("ann"), key="k")
    assert deliver_due()["not_configured"] == 1
    assert "correct SSL_CERT_FILE" in deliveries.row("k")["last_error"]
    tls.default_ssl_context.cache_clear()


@pytest.mark.usefixtures("prefect_api", "refused")
def test_the_list_and_doctor_say_what_is_refused(http_sink):
    shown = CliRunner().invoke(channels, [], terminal_width=400)
    assert "OUTBOUND_ALLOWED_HOSTS" in shown.output
    finding = default_channel_finding()
    assert (finding.level, "webhook: 127.0.0.1 is inside" in finding.message) == ("warn", True)
    assert "restart" in finding.fix
    assert http_sink.connections == 0


@pytest.mark.usefixtures("prefect_api")
def test_the_list_says_that_a_worker_still_has_the_old_configuration(refused, monkeypatch):
    refused.add(webhook_recipient())
    deliver_due()
    allow(monkeypatch, "127.0.0.1")
    assert (default_channel_finding().level, default_channel_finding().message) == (
        "ok",
        "configured",
    )
    output = " ".join(CliRunner().invoke(channels, [], terminal_width=400).output.split())
    assert "messages wait: " in output
    assert "restart those that started before" in output
    refused.let_time_pass()
    deliver_due()
    assert "messages wait: " not in CliRunner().invoke(channels, []).output
