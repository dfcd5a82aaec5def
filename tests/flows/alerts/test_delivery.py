"""Every message is sent once; who can't be reached is tried again alone, and the owner hears of it."""

import logging

import pytest

from analytics_worker.circuit_breaker import external_circuit_breaker
from analytics_worker.delivery.retry import backoff_seconds
from analytics_worker.settings import settings
from flows.alerts.notifications.outbox import deliver_due
from tests.support.attacks import attack


def counts(sent=0, failed=0, retrying=0, skipped_open=0):
    return {
        "sent": sent,
        "failed": failed,
        "retrying": retrying,
        "skipped_open": skipped_open,
    }


def test_everything_due_is_sent_once(outbox, smtp_sink, http_sink):
    outbox.mails(30)
    outbox.hooks(30)
    assert deliver_due() == counts(sent=60)
    assert deliver_due() == counts()
    assert sorted(smtp_sink.ids()) == sorted(f"<{n}@test>" for n in range(30))
    assert sorted(http_sink.keys()) == sorted(f"k{n}" for n in range(30))
    assert (smtp_sink.connections, http_sink.connections) == (1, 1)
    assert set(outbox.statuses()) == {"sent"}


def test_a_limit_leaves_the_rest_for_later(outbox, smtp_sink):
    outbox.mails(5)
    assert deliver_due(limit=2) == counts(sent=2)
    assert deliver_due() == counts(sent=3)
    assert len(smtp_sink.messages) == 5


def test_what_is_not_due_waits(outbox, smtp_sink):
    outbox.mails(1)
    outbox.run("update ops.alert_deliveries set next_attempt_at = now() + interval '1 hour'")
    assert deliver_due() == counts()
    assert smtp_sink.messages == []


def test_a_refused_recipient_is_tried_again_alone(outbox, smtp_sink):
    smtp_sink.refuse("r1@example.com", 451, times=1)
    outbox.mails(3)
    assert deliver_due() == counts(sent=2, retrying=1)
    row = outbox.row("<1@test>")
    assert (row["status"], row["attempts"]) == ("pending", 1)
    assert row["last_error"] == "451 refused for the test"
    assert deliver_due() == counts()  # not before its time
    outbox.let_time_pass()
    assert deliver_due() == counts(sent=1)
    assert sorted(smtp_sink.ids()) == ["<0@test>", "<1@test>", "<2@test>"]


def test_a_mail_whose_connection_dropped_is_sent_with_the_same_id(outbox, smtp_sink):
    smtp_sink.drop_next_data = True
    outbox.mails(2)
    assert deliver_due() == counts(sent=1, retrying=1)
    outbox.let_time_pass()
    assert deliver_due() == counts(sent=1)
    assert sorted(smtp_sink.ids()) == ["<0@test>", "<1@test>"]


def test_a_receiver_s_wish_for_time_is_granted(outbox, http_sink):
    http_sink.answer(429, Retry_After="600")
    outbox.hooks(1)
    deliver_due()
    (row,) = outbox.run(
        "select extract(epoch from next_attempt_at - now()) as seconds from ops.alert_deliveries"
    )
    assert 590 < row["seconds"] <= 600


def test_attempts_end(outbox, http_sink, monkeypatch):
    monkeypatch.setenv("ALERT_DELIVERY_ATTEMPTS", "3")
    settings.cache_clear()
    http_sink.answer(429)
    outbox.hooks(1)
    results = []
    for _ in range(4):
        outbox.let_time_pass()
        results.append(deliver_due())
    expected = [counts(retrying=1), counts(retrying=1), counts(failed=1), counts()]
    assert results == expected
    assert outbox.row("k0")["status"] == "failed"
    assert len(http_sink.requests) == 3


def test_pauses_grow_to_their_cap():
    pauses = [backoff_seconds(attempts) for attempts in range(12)]
    assert all(30 * 0.75 * 2**n <= pauses[n] <= 30 * 2**n for n in range(5))
    assert all(675 <= pause <= 900 for pause in pauses[5:])
    assert backoff_seconds(10_000) <= 900


def test_a_message_that_no_channel_can_carry_does_not_stop_the_rest(outbox):
    outbox.add("email", "not an address", "<bad@test>")
    outbox.mails(2)
    assert deliver_due() == counts(sent=2, failed=1)
    assert "not a valid mail address" in outbox.row("<bad@test>")["last_error"]


@pytest.mark.usefixtures("prefect_api")
def test_a_message_for_an_unknown_channel_waits_with_the_reason(outbox):
    outbox.add("nobody", "nobody", "k9")
    outbox.hooks(1)
    assert deliver_due() == counts(sent=1, retrying=1)
    row = outbox.row("k9")
    assert (row["status"], row["attempts"]) == ("pending", 0)
    assert "Channel 'nobody' is not configured" in row["last_error"]


@attack(
    by="network",
    what="a web hook whose answers and redirects repeat its token",
    answer="no token in rows, logs and statistics",
)
def test_no_secret_reaches_rows_and_logs(outbox, http_sink, caplog):
    caplog.set_level(logging.DEBUG)
    http_sink.answer(404, b"canary-token canary-secret")
    outbox.hooks(1)
    deliver_due()
    http_sink.answer(302, Location=f"{http_sink.url}/canary-token")
    outbox.add("webhook", "webhook", "k8")
    deliver_due()
    http_sink.stop()
    outbox.add("webhook", "webhook", "k9")
    deliver_due()
    shown = str(outbox.run("select * from ops.alert_deliveries")) + caplog.text
    assert "http://127.0.0.1 answered 404" in shown
    assert "canary" not in shown
    stats = external_circuit_breaker(f"127.0.0.1-{http_sink.port}").get_stats()
    assert "canary" not in str(stats)


class TestOwner:
    """The owner of the rule whose message could not be delivered."""

    @pytest.fixture
    def event(self, outbox) -> int:
        (rule,) = outbox.run(
            "insert into ops.alert_rules (kind, name, definition, every) values ('alert', 'pipeline',"
            """ '{"name": "pipeline", "owner": "owner@example.com"}', '2 minutes') returning id"""
        )
        (event,) = outbox.run(
            "insert into ops.alert_events (rule_id, kind) values (:rule, 'firing') returning id",
            rule=rule["id"],
        )
        return event["id"]

    def test_is_told_once_about_all_who_missed_it(self, outbox, smtp_sink, event):
        for name in ("gone", "away", "ann"):
            outbox.add("email", f"{name}@example.com", f"<{name}@test>", event)
        smtp_sink.refuse("gone@example.com", 550)
        smtp_sink.refuse("away@example.com", 550)
        assert deliver_due() == counts(sent=2, failed=2)
        assert deliver_due() == counts()
        to_reader, to_owner = smtp_sink.messages
        assert to_reader.recipients == ["ann@example.com"]
        assert to_owner.recipients == ["owner@example.com"]
        assert str(to_owner.mail["Subject"]) == "Not delivered: Pipeline fell"
        text = to_owner.mail.get_content()
        assert "away@example.com: 550 refused" in text
        assert "gone@example.com: 550 refused" in text

    def test_who_can_t_be_reached_is_not_told_of_that(self, outbox, smtp_sink, event):
        outbox.add("email", "ann@example.com", "<ann@test>", event)
        smtp_sink.refuse("ann@example.com", 550)
        smtp_sink.refuse("owner@example.com", 550)
        assert deliver_due() == counts(failed=2)
        assert deliver_due() == counts()
        assert len(outbox.statuses()) == 2

    def test_is_told_of_a_webhook_by_mail(self, outbox, smtp_sink, http_sink, event):
        http_sink.answer(410)
        outbox.add("webhook", "webhook", "k1", event)
        assert deliver_due() == counts(sent=1, failed=1)
        assert smtp_sink.messages[0].recipients == ["owner@example.com"]

    def test_may_be_a_channel(self, outbox, smtp_sink, http_sink, event):
        outbox.run(
            """update ops.alert_rules set definition = definition || '{"owner": "webhook"}'"""
        )
        smtp_sink.refuse("ann@example.com", 550)
        outbox.add("email", "ann@example.com", "<ann@test>", event)
        assert deliver_due() == counts(sent=1, failed=1)
        assert http_sink.requests[0].json["subject"] == "Not delivered: Pipeline fell"
