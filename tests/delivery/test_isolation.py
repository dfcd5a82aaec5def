"""One invalid message, recipient or channel never affects another one."""

import sys
from contextlib import contextmanager
from types import ModuleType

import pytest
from sqlalchemy.exc import DBAPIError

from analytics_worker.delivery import deliver_due, routing, send_once
from analytics_worker.delivery.channels.base import Channel
from analytics_worker.delivery.message import Content, Message
from analytics_worker.send_result import SENT
from tests.support import delivery_channels
from tests.support.deliveries import email_recipient, webhook_recipient


class OddError(Exception):
    """An unusual error."""


ODD = [OddError("canary-secret"), MemoryError(), RecursionError(), SystemExit(3), KeyError("k")]


@pytest.fixture
def channels(monkeypatch, deliveries):
    """Send some block types with a module of this test, others with the real test channels."""
    del deliveries

    def use(slug, open_channel):
        module = ModuleType("odd_channels")
        module.open_channel = open_channel  # pyright: ignore[reportAttributeAccessIssue]
        monkeypatch.setitem(sys.modules, "odd_channels", module)
        monkeypatch.setitem(routing.CHANNEL_MODULES, slug, "odd_channels")

    return use


def slack(session):
    return lambda name, _block: Channel(name, "slack", "here", [name], session)


@pytest.mark.parametrize("error", ODD, ids=repr)
def test_an_error_while_sending_fails_only_that_message(deliveries, http_sink, channels, error):
    sessions = []

    @contextmanager
    def session():
        sessions.append(1)

        def send(message):
            if message.key == "s1":
                raise error
            return SENT

        yield send

    channels("slack-channel", slack(session))
    for number in range(3):
        deliveries.add(webhook_recipient("slack"), key=f"s{number}")
        deliveries.add(webhook_recipient("webhook"), key=f"w{number}")
    result = deliver_due()
    assert (result["sent"], result["retrying"]) == (5, 1)
    assert http_sink.keys() == ["w0", "w1", "w2"]
    row = deliveries.row("s1")
    assert (row["status"], row["attempts"]) == ("pending", 1)
    assert type(error).__name__ in row["last_error"]
    assert "canary" not in row["last_error"]
    assert len(sessions) == 2, "what the error left behind is not used again"


@pytest.mark.parametrize("error", ODD, ids=repr)
@pytest.mark.parametrize("where", ["open", "session", "exit"])
def test_an_error_of_a_channel_affects_no_other_channel(
    deliveries, http_sink, channels, error, where
):
    @contextmanager
    def session():
        if where == "session":
            raise error
        yield lambda _message: SENT
        if where == "exit":
            raise error

    def open_channel(name, block):
        if where == "open":
            raise error
        return slack(session)(name, block)

    channels("slack-channel", open_channel)
    deliveries.add(webhook_recipient("slack"), key="s")
    deliveries.add(webhook_recipient("webhook"), key="w")
    result = deliver_due()
    assert http_sink.keys() == ["w"]
    assert deliveries.status("s") == ("sent" if where == "exit" else "pending")
    assert deliveries.row("s")["attempts"] == 0 or where == "exit"
    assert result["failed"] == 0


def test_invalid_results_and_receipts_fail_only_that_message(deliveries, channels):
    @contextmanager
    def session():
        answers = iter([None, "sent", SENT.__class__("sent", receipt={"ts\x00": object()})])  # pyright: ignore[reportArgumentType]
        yield lambda _message: next(answers)

    channels("slack-channel", slack(session))
    for number in range(3):
        deliveries.add(webhook_recipient("slack"), key=f"s{number}")
    result = deliver_due()
    assert (result["sent"], result["retrying"]) == (1, 2)


def test_invalid_names_and_addresses_fail_alone(deliveries, http_sink, smtp_sink):
    odd = ["not an address", "a@b\r\nBcc: c@d", "\x00", "x" * 10_000, ""]
    for address in odd:
        deliveries.add(email_recipient("x")._replace(address=address))
    deliveries.add(email_recipient("ann"), webhook_recipient())
    result = deliver_due()
    assert result["failed"] == len(odd)
    assert http_sink.requests
    assert "ann@example.com" in [each.recipients[0] for each in smtp_sink.messages]


def test_long_names_are_delivered(deliveries, http_sink):
    noise = "".join(chr(33 + n * n % 90) for n in range(20_000))
    deliveries.add(
        email_recipient("x")._replace(channel=noise), key=noise, topic=noise, reference=noise
    )
    deliveries.add(email_recipient("x")._replace(address=noise), topic=noise)
    deliveries.add(webhook_recipient(), topic=noise)
    result = deliver_due()
    assert (result["sent"], result["failed"]) == (3, 1), "the notice goes to both default channels"
    assert len(http_sink.requests) == 3


def test_send_once_uses_the_same_channel(deliveries, http_sink):
    del deliveries
    message = Message("monitoring", "test", Content(subject="s", text="t"), [])
    assert send_once("webhook", message, webhook_recipient(), "k1").status == "sent"
    assert http_sink.keys() == ["k1"]
    assert delivery_channels.__name__ == routing.CHANNEL_MODULES["webhook-channel"]


def test_a_channel_whose_rows_the_database_refuses_does_not_affect_notices_of_others(
    deliveries, smtp_sink
):
    """The run fails after the work of all other channels is done."""
    deliveries.run(
        "create function refuse() returns trigger language plpgsql"
        " as $$ begin raise exception 'no more of these'; end $$"
    )
    deliveries.run(
        "create trigger refuse before update on ops.deliveries for each row"
        " when (old.channel = 'webhook') execute function refuse()"
    )
    smtp_sink.refuse("gone@example.com", 550)
    deliveries.add(webhook_recipient("webhook"))
    deliveries.add(email_recipient("gone"), owner="owner@example.com")
    with pytest.raises(DBAPIError, match="no more of these"):
        deliver_due()
    assert [each.recipients for each in smtp_sink.messages] == [["owner@example.com"]]
    assert sorted(row["status"] for row in deliveries.rows()) == ["failed", "pending", "sent"]
