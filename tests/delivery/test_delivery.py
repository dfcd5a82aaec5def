"""Every message is sent once; a recipient that refuses it is retried alone."""

import logging
from datetime import timedelta

import pytest

from analytics_worker.circuit_breaker import external_circuit_breaker
from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import deliver_due
from analytics_worker.delivery.outbox import (
    next_attempt_at,
    waiting_for_configuration,
)
from analytics_worker.settings import settings
from tests.support.attacks import attack
from tests.support.deliveries import email_recipient, webhook_recipient

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


def test_everything_due_is_sent_once(deliveries, smtp_sink, http_sink):
    for number in range(30):
        deliveries.add(email_recipient(f"r{number}"), key=f"<m{number}@test>")
        deliveries.add(webhook_recipient(), key=f"k{number}")
    assert deliver_due() == counts(sent=60)
    assert deliver_due() == counts()
    assert sorted(smtp_sink.ids()) == sorted(f"<m{n}@test>" for n in range(30))
    assert http_sink.keys() == [f"k{n}" for n in range(30)], "in the order they were enqueued"
    assert (smtp_sink.connections, http_sink.connections) == (1, 1)
    assert set(deliveries.statuses()) == {"sent"}


def test_only_the_requested_domain_is_sent(deliveries, http_sink):
    deliveries.add(webhook_recipient(), key="report", domain="reports")
    deliveries.add(webhook_recipient(), key="alert")
    assert deliver_due("alerts") == counts(sent=1)
    assert http_sink.keys() == ["alert"]
    assert deliver_due() == counts(sent=1)


def test_deliveries_that_are_not_due_wait(deliveries, http_sink):
    deliveries.add(webhook_recipient())
    deliveries.run("update ops.deliveries set next_attempt_at = now() + interval '1 hour'")
    assert deliver_due() == counts()
    assert http_sink.requests == []
    with warehouse() as connection:
        (expected,) = deliveries.run("select next_attempt_at as at from ops.deliveries")
        assert next_attempt_at(connection, "alerts") == expected["at"]
        assert next_attempt_at(connection, "reports") is None


def test_a_used_up_budget_starts_no_message_and_leaves_none_claimed(deliveries, http_sink):
    deliveries.add(webhook_recipient())
    assert deliver_due(budget=timedelta(microseconds=1)) == counts()
    assert (http_sink.requests, deliveries.statuses()) == ([], ["pending"])


def test_a_refused_recipient_is_retried_alone(deliveries, smtp_sink):
    smtp_sink.refuse("b@example.com", 451, times=1)
    deliveries.add(email_recipient("a"), email_recipient("b"), email_recipient("c"))
    assert deliver_due() == counts(sent=2, retrying=1)
    (row,) = deliveries.run("select * from ops.deliveries where status = 'pending'")
    assert (row["recipient"], row["attempts"]) == ("b@example.com", 1)
    assert row["last_error"] == "451 refused for the test"
    assert deliver_due() == counts()  # not before its time
    deliveries.let_time_pass()
    assert deliver_due() == counts(sent=1)
    assert len(set(smtp_sink.ids())) == 3


def test_an_email_whose_connection_was_lost_is_sent_with_the_same_id(deliveries, smtp_sink):
    smtp_sink.drop_next_data = True
    deliveries.add(email_recipient("a"), key="<a@test>")
    deliveries.add(email_recipient("b"), key="<b@test>")
    assert deliver_due() == counts(sent=1, retrying=1)
    deliveries.let_time_pass()
    assert deliver_due() == counts(sent=1)
    assert sorted(smtp_sink.ids()) == ["<a@test>", "<b@test>"]


def test_attempts_are_limited(deliveries, http_sink, monkeypatch):
    monkeypatch.setenv("DELIVERY_MAX_ATTEMPTS", "3")
    monkeypatch.delenv("ALERT_SLACK_URL")
    settings.cache_clear()
    http_sink.answer(408)
    deliveries.add(webhook_recipient(), key="k")
    results = []
    for _ in range(3):
        deliveries.let_time_pass()
        results.append(deliver_due())
    assert results == [counts(retrying=1), counts(retrying=1), counts(failed=1, unheard=1)]
    assert deliveries.status("k") == "failed"
    assert len(http_sink.requests) == 3


@pytest.mark.parametrize("code", [404, 410])
def test_a_receiver_that_is_being_deployed_is_retried_until_the_maximal_age(
    deliveries, http_sink, code, monkeypatch
):
    monkeypatch.setenv("DELIVERY_MAX_ATTEMPTS", "2")
    settings.cache_clear()
    http_sink.answer(code, times=3)
    deliveries.add(webhook_recipient(), key="k")
    for _ in range(3):
        deliveries.let_time_pass()
        assert deliver_due() == counts(retrying=1)
    deliveries.let_time_pass()
    assert deliver_due() == counts(sent=1)


def test_messages_fail_at_the_maximal_age_but_are_tried_once_before(
    deliveries, http_sink, monkeypatch
):
    monkeypatch.delenv("ALERT_SLACK_URL")
    monkeypatch.setenv("ALERT_EMAIL_TO", "ops@example.com")
    settings.cache_clear()
    deliveries.add(webhook_recipient(), key="old")
    deliveries.age(timedelta(hours=25))
    assert deliver_due() == counts(sent=1), "never tried, however old"
    http_sink.stop()
    deliveries.add(webhook_recipient(), key="late")
    assert deliver_due() == counts(retrying=1)
    deliveries.age(timedelta(hours=25))
    assert deliver_due()["failed"] == 1
    assert deliveries.status("late") == "failed"


def test_one_channel_s_breaker_does_not_delay_another_on_the_same_host(deliveries, http_sink):
    def only_hook_fails(posted):
        http_sink.answer(500 if posted.path.startswith("/hook") else 204)

    http_sink.before_answer = only_hook_fails
    for number in range(6):
        deliveries.add(webhook_recipient("webhook"), key=f"w{number}")
    result = deliver_due()
    assert (result["retrying"], result["circuit_open"]) == (3, 3)
    for number in range(6):
        deliveries.add(webhook_recipient("slack"), key=f"s{number}")
    assert deliver_due() == counts(sent=6)
    stats = external_circuit_breaker.get_stats()
    assert stats["channel-webhook"]["state"] == "open"
    assert stats.get("channel-slack", {"state": "closed"})["state"] == "closed"
    assert {row["attempts"] for row in deliveries.rows() if row["channel"] == "webhook"} == {0, 1}


def test_a_message_to_a_whole_channel_becomes_one_delivery_for_each_of_its_addresses(
    deliveries, smtp_sink, monkeypatch
):
    monkeypatch.setenv("ALERT_EMAIL_TO", "a@example.com,b@example.com")
    settings.cache_clear()
    smtp_sink.refuse("b@example.com", 451, times=1)
    deliveries.add(webhook_recipient("email"), key="<all@test>")
    assert deliver_due() == counts(sent=1, retrying=1)
    deliveries.let_time_pass()
    assert deliver_due() == counts(sent=1)
    assert len(set(smtp_sink.ids())) == 2


@pytest.mark.usefixtures("prefect_api")
def test_a_message_for_an_unknown_channel_waits_with_the_reason(deliveries):
    deliveries.add(webhook_recipient("nobody"), key="k9")
    deliveries.add(webhook_recipient())
    assert deliver_due() == counts(sent=1, not_configured=1)
    row = deliveries.row("k9")
    assert (row["status"], row["attempts"]) == ("pending", 0)
    assert "Channel 'nobody' is not configured" in row["last_error"]
    with warehouse() as connection:
        (waiting,) = waiting_for_configuration(connection)
    assert (waiting.channel, waiting.messages) == ("nobody", 1)
    deliveries.age(timedelta(hours=25))
    assert deliver_due()["failed"] == 1


def test_a_channel_that_is_configured_later_gets_the_waiting_messages(
    deliveries, smtp_sink, monkeypatch
):
    host = settings().alert_email_host
    monkeypatch.delenv("ALERT_EMAIL_FROM")
    settings.cache_clear()
    deliveries.add(email_recipient("ann"))
    assert deliver_due() == counts(not_configured=1)
    monkeypatch.setenv("ALERT_EMAIL_FROM", "alerts@example.com")
    settings.cache_clear()
    deliveries.let_time_pass()
    assert (host, deliver_due()) == (smtp_sink.host, counts(sent=1))
    with warehouse() as connection:
        assert waiting_for_configuration(connection) == []


def test_a_stored_message_that_can_t_be_read_fails_alone(deliveries, http_sink):
    deliveries.add(webhook_recipient(), key="odd")
    deliveries.run("""update ops.messages set content = '{"subject": 1, "unknown": []}'""")
    deliveries.add(webhook_recipient(), key="good")
    result = deliver_due()
    assert result["failed"] == 1
    assert deliveries.status("odd") == "failed"
    assert "good" in http_sink.keys()  # noqa: SIM118


@attack(
    by="network",
    what="a webhook whose responses and redirects repeat its token",
    answer="no token in rows, logs and statistics",
)
def test_no_secret_reaches_rows_and_logs(deliveries, http_sink, caplog):
    caplog.set_level(logging.DEBUG)
    http_sink.answer(404, b"canary-token canary-secret")
    deliveries.add(webhook_recipient())
    deliver_due()
    http_sink.answer(302, Location=f"{http_sink.url}/canary-token")
    deliveries.add(webhook_recipient())
    deliver_due()
    http_sink.stop()
    deliveries.add(webhook_recipient())
    deliver_due()
    shown = str(deliveries.rows()) + caplog.text + str(external_circuit_breaker.get_stats())
    assert "http://127.0.0.1 answered 404" in shown
    assert "canary" not in shown
