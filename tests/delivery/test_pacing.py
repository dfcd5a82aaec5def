"""The rate of a channel holds for all hosts together; a backlog is sent as one digest."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_worker.delivery import deliver_due
from analytics_worker.delivery.channels.base import Rate
from analytics_worker.delivery.message import Content, Link
from analytics_worker.delivery.pacing import RateError, digest_threshold, parse_channel_rate
from analytics_worker.delivery.retry import backoff_seconds, next_step
from analytics_worker.send_result import SendResult, rate_limited
from analytics_worker.settings import settings
from tests.support.deliveries import email_recipient, sender, webhook_recipient
from tests.support.wait_until import wait_until


def test_a_pause_stops_the_whole_channel_on_all_hosts_and_counts_no_attempt(
    deliveries, http_sink, delivery_context
):
    http_sink.answer(429, times=1, Retry_After="600")
    for number in range(5):
        deliveries.add(webhook_recipient("slack"), key=f"s{number}")
    result = deliver_due()
    assert (result["paused"], result["retrying"], result["failed"]) == (5, 0, 0)
    with sender(delivery_context) as process:  # another process, as on another host
        process.join(timeout=90)
        assert process.exitcode == 0
    assert http_sink.keys() == ["s0"]
    assert [row["attempts"] for row in deliveries.rows()] == [0] * 5
    (channel,) = deliveries.run(
        "select extract(epoch from paused_until - now()) as seconds from ops.delivery_channels"
    )
    assert 500 < channel["seconds"] <= 600
    deliveries.let_time_pass()
    assert deliver_due()["sent"] == 5


def test_a_pause_that_another_host_caused_stops_a_batch_in_progress(
    deliveries, http_sink, delivery_context
):
    for number in range(5):
        deliveries.add(webhook_recipient("slack"), key=f"s{number}")
    with http_sink.pausing_answer(to=1) as held, sender(delivery_context) as process:
        wait_until(held.is_set, timeout=90)
        deliveries.run(
            "insert into ops.delivery_channels (channel, paused_until)"
            " values ('slack', now() + interval '1 hour')"
        )
        http_sink.release()
        process.join(timeout=60)
        assert process.exitcode == 0
    assert http_sink.keys() == ["s0"]
    assert sorted(deliveries.statuses()) == ["pending"] * 4 + ["sent"]


def test_a_pause_of_one_channel_does_not_pause_others(deliveries, http_sink):
    deliveries.add(webhook_recipient("slack"), key="s")
    http_sink.answer(429, times=1, Retry_After="600")
    deliver_due()
    deliveries.add(webhook_recipient("webhook"), key="w")
    assert deliver_due()["sent"] == 1
    assert http_sink.keys() == ["s", "w"]


def test_pauses_without_a_time_grow(deliveries, http_sink):
    http_sink.answer(429)
    deliveries.add(webhook_recipient())
    lengths = []
    for _ in range(3):
        assert deliver_due()["paused"] == 1
        (row,) = deliveries.run(
            "select extract(epoch from paused_until - now()) as seconds from ops.delivery_channels"
        )
        lengths.append(float(row["seconds"]))
        deliveries.let_time_pass()
    assert lengths[0] <= 30
    assert 44 <= lengths[1] <= 60
    assert 89 <= lengths[2] <= 120


def test_a_rate_is_shared_by_all_processes(deliveries, http_sink, delivery_context, monkeypatch):
    monkeypatch.setenv("DELIVERY_RATES", "webhook=2/d, email=100/s")
    settings.cache_clear()
    for number in range(5):
        deliveries.add(webhook_recipient(), key=f"k{number}")
    assert (deliver_due()["sent"], deliver_due()["sent"]) == (2, 0)
    with sender(delivery_context) as process:
        process.join(timeout=90)
        assert process.exitcode == 0
    assert http_sink.keys() == ["k0", "k1"]
    assert deliver_due()["paused"] == 3
    deliveries.let_time_pass()
    assert deliver_due()["sent"] == 2


def test_messages_of_a_channel_with_an_invalid_rate_wait_with_the_reason(deliveries, monkeypatch):
    monkeypatch.setenv("DELIVERY_RATES", "webhook=fast")
    settings.cache_clear()
    deliveries.add(webhook_recipient(), key="k")
    assert deliver_due()["not_configured"] == 1
    assert "'webhook=fast' is not a valid rate" in deliveries.row("k")["last_error"]


@pytest.mark.parametrize("text", ["", "slack", "slack=0/s", "slack=1/y", "=1/s", "a b=1/s"])
def test_an_invalid_rate_is_refused_by_name(text):
    with pytest.raises(RateError, match="DELIVERY_RATES"):
        parse_channel_rate(text)


def test_rates_are_parsed():
    assert parse_channel_rate("slack=1/s") == ("slack", Rate(1, timedelta(seconds=1)))
    assert parse_channel_rate(" webhook = 30/m ") == ("webhook", Rate(30, timedelta(minutes=1)))


def test_digests_begin_where_the_rate_ends():
    assert digest_threshold(Rate(1, timedelta(seconds=1)), limited=False) == 60
    assert digest_threshold(Rate(2, timedelta(hours=1)), limited=False) == 10
    assert digest_threshold(Rate(100, timedelta(seconds=1)), limited=True) == 10


def pile_up(deliveries, count, *recipients, **columns):
    for number in range(count):
        content = Content(
            subject=f"[FIRING] rule {number}",
            text="It fell.",
            severity="critical" if number == 3 else "warning",
            links=(Link(label="run", url=f"https://ui/{number}"),),
        )
        deliveries.add(*recipients, key=f"k{number}", content=content, **columns)


def test_a_backlog_is_sent_as_one_digest_that_names_each_message(
    deliveries, http_sink, monkeypatch
):
    monkeypatch.setenv("DELIVERY_RATES", "slack=1/m")
    settings.cache_clear()
    pile_up(deliveries, 90, webhook_recipient("slack"))
    result = deliver_due()
    assert (result["sent"], result["digested"], result["paused"]) == (1, 90, 0)
    (posted,) = http_sink.requests
    assert posted.json["subject"] == "[digest] 90 messages: 1 critical, 89 warning"
    for number in range(90):
        assert f"[FIRING] rule {number} https://ui/{number}\n" in posted.json["text"]
    assert posted.json["items"][3] == "critical: [FIRING] rule 3"
    (digest,) = deliveries.run("select * from ops.deliveries where status = 'sent'")
    members = [row for row in deliveries.rows() if row["status"] == "digested"]
    assert {row["digest_of"] for row in members} == {digest["id"]}
    assert len(members) == 90


def test_after_a_pause_the_backlog_is_sent_as_one_digest(deliveries, http_sink):
    http_sink.answer(429, times=1, Retry_After="60")
    pile_up(deliveries, 30, webhook_recipient("slack"))
    assert deliver_due()["paused"] == 30
    deliveries.let_time_pass()
    result = deliver_due()
    assert (result["sent"], result["digested"], result["paused"]) == (1, 30, 0)
    assert len(http_sink.requests) == 2


def test_without_a_rate_and_a_pause_nothing_is_digested(deliveries, http_sink):
    pile_up(deliveries, 30, webhook_recipient("slack"))
    assert deliver_due()["sent"] == 30
    assert len(http_sink.requests) == 30


def test_files_are_not_digested(deliveries, smtp_sink, monkeypatch):
    monkeypatch.setenv("DELIVERY_RATES", "email=1/d")
    settings.cache_clear()
    for number in range(12):
        deliveries.add(email_recipient("ann"), key=f"<f{number}@test>", files=["a.csv"])
    assert deliver_due()["digested"] == 0
    assert smtp_sink.messages == []


def test_members_of_a_failed_digest_fail_and_are_notified(deliveries, http_sink, smtp_sink):
    http_sink.answer(429, times=1, Retry_After="60")
    pile_up(deliveries, 12, webhook_recipient("slack"), owner="owner@example.com")
    deliver_due()
    deliveries.let_time_pass()
    http_sink.answer(400)
    assert deliver_due()["failed"] == 12
    assert [row["status"] for row in deliveries.rows() if row["idempotency_key"][0] == "k"] == [
        "failed"
    ] * 12
    assert len(smtp_sink.messages) == 12


def test_a_message_that_follows_a_digested_one_is_sent(deliveries, http_sink, monkeypatch):
    monkeypatch.setenv("DELIVERY_RATES", "slack=1/h")
    settings.cache_clear()
    pile_up(deliveries, 12, webhook_recipient("slack"), topic="t")
    deliver_due()
    (first,) = deliveries.run("select message_id from ops.deliveries where idempotency_key = 'k0'")
    deliveries.add(
        webhook_recipient("slack"), key="resolved", topic="t", follows=first["message_id"]
    )
    deliveries.let_time_pass()
    assert deliver_due()["sent"] == 1
    assert http_sink.keys()[-1] == "resolved"


@given(st.integers(min_value=0, max_value=10**6))
def test_the_backoff_is_monotone_and_capped(attempts):
    assert 22.5 <= backoff_seconds(attempts) <= 900
    assert backoff_seconds(attempts + 2) >= min(backoff_seconds(attempts), 675)


@given(
    status=st.sampled_from(["temporary", "permanent", "unreachable", "rate_limited"]),
    attempts=st.integers(min_value=0, max_value=10**6),
    age=st.floats(min_value=0, max_value=1e9),
    requested=st.floats(),
    code=st.sampled_from([None, 404, 410, 429, 500, 550]),
)
def test_every_result_has_a_next_step_within_bounds(status, attempts, age, requested, code):
    step = next_step(SendResult(status, "x", code, retry_after_seconds=requested), attempts, age)
    assert step.status in {"pending", "failed"}
    assert 0 <= step.delay_seconds <= 86_400
    assert step.pause_seconds is None or 0 <= step.pause_seconds <= 86_400
    if status == "rate_limited" or code == 429:
        assert (step.status, step.attempts) == ("pending", 0)
    elif age > 86_400:
        assert step.status == "failed"


def test_a_rate_limit_pauses_the_channel_rather_than_the_message():
    step = next_step(rate_limited("slow down", 30), 3, 60)
    assert (step.delay_seconds, step.pause_seconds) == (0, 30)
