"""Channels by name: those of the settings, blocks, apprise; each with a breaker of its own."""

import pytest
from prefect import get_client
from pydantic import SecretStr

from analytics_worker.circuit_breaker import external_circuit_breaker
from analytics_worker.settings import settings
from blocks.notifications import (
    BLOCKS,
    EmailChannel,
    SlackChannel,
    WebhookChannel,
    register_type,
)
from flows.alerts.notifications.channels import (
    UnknownChannelError,
    channel,
    message_id,
    send_now,
    slack_text,
)
from flows.alerts.notifications.outbox import deliver_due
from flows.alerts.notifications.parcel import Parcel
from tests.support.attacks import attack

# apprise imports a module that Python 3.13 drops; it brings a replacement there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

PARCEL = Parcel("k1", "ann@example.com", "Fell <now>", "It & more", json={"rule": "pipeline"})


def close_breaker(port: int) -> None:
    """As if the breaker's time had passed: the next call is let through."""
    external_circuit_breaker(f"127.0.0.1-{port}").half_open()


def test_a_channel_that_is_down_opens_its_own_breaker_and_catches_up(outbox, smtp_sink, http_sink):
    smtp_sink.stop()
    outbox.mails(10)
    outbox.hooks(10)
    counts = deliver_due()
    assert counts == {"sent": 10, "failed": 0, "retrying": 3, "skipped_open": 7}
    assert len(http_sink.requests) == 10
    assert external_circuit_breaker(f"127.0.0.1-{smtp_sink.port}").current_state == "open"
    assert external_circuit_breaker(f"127.0.0.1-{http_sink.port}").current_state == "closed"
    rows = outbox.run("select attempts from ops.alert_deliveries where channel = 'email'")
    assert {row["attempts"] for row in rows} == {0}  # nobody saw them

    outbox.let_time_pass()
    assert deliver_due()["skipped_open"] == 10  # nothing is tried

    smtp_sink.start()
    close_breaker(smtp_sink.port)
    outbox.let_time_pass()
    assert deliver_due()["sent"] == 10
    assert sorted(smtp_sink.ids()) == sorted(f"<{n}@test>" for n in range(10))


def test_skipped_messages_wait_as_long_as_the_breaker(outbox, smtp_sink):
    outbox.mails(3)
    external_circuit_breaker(f"127.0.0.1-{smtp_sink.port}").force_open(600)
    assert deliver_due()["skipped_open"] == 3
    (row,) = outbox.run(
        "select min(extract(epoch from next_attempt_at - now())) as seconds"
        " from ops.alert_deliveries where status = 'pending'"
    )
    assert 580 < row["seconds"] <= 600


def test_a_server_that_hangs_delays_no_other_channel(outbox, smtp_sink, http_sink, monkeypatch):
    """All web hooks arrive while the mail server has not even said hello."""
    monkeypatch.setenv("ALERT_EMAIL_TIMEOUT_SECONDS", "1")
    settings.cache_clear()
    outbox.mails(1)
    outbox.hooks(20)
    with smtp_sink.holding_connections() as held:
        counts = deliver_due()
        assert held.is_set()
    assert (counts["sent"], counts["retrying"]) == (20, 1)
    assert len(http_sink.requests) == 20
    assert "no answer in time" in outbox.row("<0@test>")["last_error"]


def test_messages_wait_for_a_broken_channel_only_so_long(outbox, smtp_sink):
    smtp_sink.stop()
    outbox.mails(1)
    assert deliver_due()["retrying"] == 1
    outbox.run("update ops.alert_deliveries set created_at = now() - interval '25 hours'")
    assert deliver_due()["failed"] == 1
    assert outbox.statuses() == ["failed"]


def test_a_late_first_attempt_is_still_made(outbox):
    """After an outage of the worker itself, nothing is dropped unseen."""
    outbox.mails(1)
    outbox.run("update ops.alert_deliveries set created_at = now() - interval '3 days'")
    assert deliver_due()["sent"] == 1


def test_four_posters_of_one_channel(outbox, http_sink, monkeypatch):
    monkeypatch.setenv("ALERT_DELIVERY_POSTERS", "4")
    settings.cache_clear()
    outbox.hooks(100)
    assert deliver_due()["sent"] == 100
    assert sorted(http_sink.keys()) == sorted(f"k{n}" for n in range(100))
    assert http_sink.connections <= 4


@attack(
    by="API caller",
    what="A test message of a channel, to get past the checks of deliveries",
    answer="The same session and the same checks",
)
def test_a_test_message_meets_the_same_checks(http_sink, monkeypatch):
    monkeypatch.setenv("ALERT_WEBHOOK_URL", http_sink.url)
    assert send_now("webhook", PARCEL).status == "sent"
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "")
    settings.cache_clear()
    outcome = send_now("webhook", PARCEL)
    assert (outcome.status, len(http_sink.requests)) == ("permanent", 1)
    assert "OUTBOUND_ALLOWED_HOSTS" in outcome.detail


def test_slack_gets_what_slack_understands(http_sink, monkeypatch):
    monkeypatch.setenv("ALERT_SLACK_URL", http_sink.url)
    assert send_now("slack", PARCEL).status == "sent"
    assert http_sink.requests[0].json == {"text": "*Fell &lt;now&gt;*\nIt &amp; more"}
    long = slack_text(Parcel("k", "slack", "s", "x" * 10_000))
    assert len(long) < 3100
    assert long.endswith("(shortened)")


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("email", "ALERT_EMAIL_HOST"),
        ("webhook", "ALERT_WEBHOOK_URL"),
        ("slack", "ALERT_SLACK_URL"),
        ("nobody", "block"),
    ],
)
@pytest.mark.usefixtures("prefect_api")
def test_a_channel_that_is_not_configured_says_what_is_missing(name, variable):
    with pytest.raises(UnknownChannelError, match=variable):
        channel(name)


@pytest.mark.usefixtures("prefect_api")
def test_blocks_are_channels(smtp_sink, http_sink, monkeypatch):
    monkeypatch.setenv("EMAIL_ALLOWED_PORTS", str(smtp_sink.port))
    EmailChannel(
        host=smtp_sink.host,
        port=smtp_sink.port,
        security="none",
        sender="Alerts <alerts@example.com>",
        to=["ops@example.com"],
    ).save("ops-mail")
    hook = WebhookChannel(url=SecretStr(f"{http_sink.url}/canary"), secret=SecretStr("canary"))
    hook.save("ops-hook")
    slack = SlackChannel(url=SecretStr(f"{http_sink.url}/canary"))
    slack.save("ops-slack")
    for name in ("ops-mail", "ops-hook", "ops-slack"):
        assert send_now(name, PARCEL).status == "sent"
    assert smtp_sink.ids() == ["<k1@example.com>"]
    assert [set(r.json) for r in http_sink.requests] == [{"rule"}, {"text"}]
    assert "webhook-signature" in http_sink.requests[0].headers
    assert channel("ops-mail").recipients == ["ops@example.com"]
    assert "canary" not in f"{hook!r}{slack!r}{channel('ops-hook')!r}"


@attack(
    by="API caller",
    what="An Email Channel block whose sender is no address, or holds a header",
    answer="A permanent error of that channel's messages; those of other channels are sent",
)
@pytest.mark.parametrize("sender", ["nobody", "a@b.example\r\nBcc: evil@attacker.example", ""])
@pytest.mark.usefixtures("prefect_api")
def test_a_bad_sender_costs_only_its_own_messages(outbox, smtp_sink, sender):
    EmailChannel(host=smtp_sink.host, port=smtp_sink.port, security="none", sender=sender).save(
        "bad-mail", overwrite=True
    )
    outbox.add("bad-mail", "ann@example.com", "k1")
    outbox.mails(2)
    counts = deliver_due()
    assert (counts["sent"], counts["failed"], len(smtp_sink.messages)) == (2, 1, 2)
    assert "is not a valid mail address" in outbox.row("k1")["last_error"]


def test_a_key_becomes_a_message_id():
    assert message_id("k1", "Ann <ann@example.com>") == "<k1@example.com>"
    assert message_id("<k1@test>", "ann@example.com") == "<k1@test>"


def test_what_is_for_a_mail_channel_as_a_whole_goes_to_each_of_its_addresses(
    outbox, smtp_sink, monkeypatch
):
    monkeypatch.setenv("ALERT_EMAIL_TO", "ann@example.com,bob@example.com")
    settings.cache_clear()
    outbox.add("email", "email", "<1@test>")
    outbox.add("email", "email", "k2")
    smtp_sink.refuse("bob@example.com", 451, times=2)
    assert deliver_due() == {"sent": 2, "failed": 0, "retrying": 2, "skipped_open": 0}
    outbox.let_time_pass()
    assert deliver_due()["sent"] == 2
    arrived = sorted(received.recipients[0] for received in smtp_sink.messages)
    assert arrived == ["ann@example.com"] * 2 + ["bob@example.com"] * 2
    assert len(set(smtp_sink.ids())) == 4


@pytest.mark.usefixtures("prefect_api")
def test_types_are_registered_once():
    with get_client(sync_client=True) as client:
        first = [register_type(kind, client) for kind in BLOCKS]
        assert set(first) <= {"created", "unchanged"}  # another test may have saved a block
        assert [register_type(kind, client) for kind in BLOCKS] == ["unchanged"] * len(BLOCKS)
