"""Callers use the outbox in their own transactions."""

from datetime import timedelta

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import deliver_due
from analytics_worker.delivery.message import Content, Message
from analytics_worker.delivery.outbox import (
    cancel,
    delivery_statuses,
    enqueue,
    messages_of,
    prune,
    resend,
    undelivered,
)
from tests.support.deliveries import email_recipient, webhook_recipient
from tests.support.sql import query

NOTHING = {
    "sent": 0,
    "failed": 0,
    "retrying": 0,
    "circuit_open": 0,
    "paused": 0,
    "not_configured": 0,
    "digested": 0,
    "unheard": 0,
}


def counts(**changes):
    return NOTHING | changes


def test_enqueuing_again_adds_nothing(deliveries, http_sink):
    first = deliveries.add(webhook_recipient(), email_recipient("ann"))
    deliveries.add(webhook_recipient(), email_recipient("ann"), id=first)
    assert deliver_due() == counts(sent=2)
    assert len(deliveries.rows()) == 2
    assert len(http_sink.requests) == 1


def test_a_message_is_stored_once_for_all_its_recipients(deliveries, smtp_sink):
    deliveries.add(*(email_recipient(f"r{n}") for n in range(40)))
    assert deliver_due() == counts(sent=40)
    assert deliveries.run("select count(*) as n from ops.messages")[0]["n"] == 1
    assert len(smtp_sink.messages) == 40


def test_resending_repeats_failed_deliveries_with_their_key_and_sent_ones_with_a_new_key(
    deliveries, smtp_sink
):
    smtp_sink.refuse("b@example.com", 550, times=1)
    message = deliveries.add(email_recipient("a"), email_recipient("b"))
    deliver_due()
    first = {
        row["recipient"]: row["idempotency_key"]
        for row in deliveries.rows()
        if row["message_id"] == message
    }
    with warehouse() as connection:
        assert resend(connection, message, failed_only=True) == 1
    deliver_due()
    assert smtp_sink.messages[-1].id.startswith(f"<{first['b@example.com']}@")
    for _ in range(2):
        with warehouse() as connection:
            assert resend(connection, message, failed_only=False) == 2
        deliver_due()
    keys = [row["idempotency_key"] for row in deliveries.rows() if row["message_id"] == message]
    assert sorted(keys) == sorted(f"{key}-r3" for key in first.values())
    assert len(set(smtp_sink.ids())) >= 6


def test_cancelled_deliveries_are_not_sent(deliveries, http_sink):
    message = deliveries.add(webhook_recipient(), key="k")
    with warehouse() as connection:
        assert cancel(connection, [message], "the rule was removed") == 1
        assert delivery_statuses(connection, [message]) == {"cancelled": 1}
    assert deliver_due() == counts()
    assert http_sink.requests == []


def test_only_settled_messages_are_pruned(deliveries):
    done = deliveries.add(webhook_recipient(), reference="1")
    deliver_due()
    waiting = deliveries.add(webhook_recipient(), reference="2")
    deliveries.run("update ops.messages set created_at = now() - interval '40 days'")
    with warehouse() as connection:
        assert prune(connection, "reports", timedelta(days=30)) == 0
        assert prune(connection, "alerts", timedelta(days=30)) == 1
        assert messages_of(connection, "alerts", "1") == []
        assert messages_of(connection, "alerts", "2") == [waiting]
        assert undelivered(connection, "alerts")[0]["message_id"] == waiting
    assert done != waiting


def test_texts_that_the_database_refuses_are_replaced(deliveries, http_sink):
    content = Content(subject="a\x00b", text="t\x00", json={"value": float("nan"), "x\x00": [1.5]})
    deliveries.add(webhook_recipient(), content=content, topic="t\x00", owner="o\x00")
    assert deliver_due() == counts(sent=1)
    assert http_sink.requests[0].json["subject"] == "a\ufffdb"


def test_halves_of_surrogate_pairs_are_replaced_and_pairs_are_kept(deliveries):
    deliveries.add(webhook_recipient(), topic="a\ud800b 😀")
    assert query("select topic from ops.messages") == ["a?b 😀"]


def test_enqueue_is_part_of_the_caller_s_transaction(deliveries):
    message = Message("alerts", "firing", Content(subject="s", text="t"), [webhook_recipient()])
    with warehouse() as connection:
        assert enqueue(connection, [message]) == 1
        connection.rollback()
    assert deliveries.rows() == []
