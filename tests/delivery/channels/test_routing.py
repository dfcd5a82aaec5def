"""Channels by name: those of the settings, and blocks."""

import pytest
from prefect import get_client
from pydantic import SecretStr

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery.channels.email import message_id
from analytics_worker.delivery.dispatcher import deliver_due
from analytics_worker.delivery.message import Content, Message, Recipient
from analytics_worker.delivery.outbox import enqueue
from analytics_worker.delivery.routing import UnknownChannelError, channel
from analytics_worker.settings import settings
from blocks.notifications import (
    CHANNEL_BLOCKS,
    EmailChannel,
    SlackChannel,
    WebhookChannel,
    register_type,
)
from tests.support.attacks import attack
from tests.support.channel_sending import send_now
from tests.support.sql import query

# apprise imports a module that Python 3.13 drops; it brings a replacement there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@attack(
    by="API caller",
    what="A test message of a channel, to get past the checks of deliveries",
    answer="The same session and the same checks",
)
def test_a_test_message_passes_the_same_checks(http_sink, monkeypatch):
    monkeypatch.setenv("ALERT_WEBHOOK_URL", http_sink.url)
    assert send_now("webhook").status == "sent"
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "")
    settings.cache_clear()
    outcome = send_now("webhook")
    assert (outcome.status, len(http_sink.requests)) == ("not_configured", 1)
    assert "OUTBOUND_ALLOWED_HOSTS" in outcome.detail


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
def test_the_error_of_a_channel_that_is_not_configured_names_the_setting(name, variable):
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
        assert send_now(name).status == "sent"
    assert smtp_sink.ids() == ["<k1@example.com>"]
    posted, shown = (each.json for each in http_sink.requests)
    assert (posted, "blocks" in shown) == ({"rule": "pipeline"}, True)
    assert "webhook-signature" in http_sink.requests[0].headers
    assert channel("ops-mail").recipients == ["ops@example.com"]
    assert "canary" not in f"{hook!r}{slack!r}{channel('ops-hook')!r}"


@attack(
    by="API caller",
    what="An Email Channel block whose sender is not an address, or contains a header",
    answer="That channel's messages wait until it is corrected; those of other channels are sent",
)
@pytest.mark.parametrize("sender", ["nobody", "a@b.example\r\nBcc: evil@attacker.example", ""])
@pytest.mark.usefixtures("prefect_api")
@pytest.mark.usefixtures("default_channels")
def test_an_invalid_sender_delays_only_its_own_messages(smtp_sink, sender):
    EmailChannel(host=smtp_sink.host, port=smtp_sink.port, security="none", sender=sender).save(
        "bad-mail", overwrite=True
    )
    recipients = [Recipient("email", "ann@example.com"), Recipient("email", "bob@example.com")]
    bad = Recipient("bad-mail", "ann@example.com")
    content = Content(subject="Fell", text="It fell.")
    message = Message("alerts", "firing", content, [bad, *recipients])
    with warehouse() as connection:
        enqueue(connection, [message])
    counts = deliver_due()
    assert (counts["not_configured"], counts["failed"]) == (1, 0)
    recipients = [each.recipients[0] for each in smtp_sink.messages[:2]]
    assert sorted(recipients) == ["ann@example.com", "bob@example.com"]
    (error,) = query("select last_error from ops.deliveries where status = 'pending'")
    assert "is not a valid email address" in error
    assert "ALERT_EMAIL_FROM, or `sender` of the block" in error


def test_a_key_becomes_a_message_id():
    assert message_id("k1", "Ann <ann@example.com>") == "<k1@example.com>"
    assert message_id("<k1@test>", "ann@example.com") == "<k1@test>"


@pytest.mark.usefixtures("prefect_api")
def test_types_are_registered_once():
    with get_client(sync_client=True) as client:
        first = [register_type(kind, client) for kind in CHANNEL_BLOCKS]
        assert set(first) <= {"created", "unchanged"}  # another test may have saved a block
        assert [register_type(kind, client) for kind in CHANNEL_BLOCKS] == ["unchanged"] * len(
            CHANNEL_BLOCKS
        )
