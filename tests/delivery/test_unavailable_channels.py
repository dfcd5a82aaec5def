"""An unavailable channel delays no other one, pauses for a while, and catches up."""

import pytest

from analytics_worker.circuit_breaker import external_circuit_breaker
from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from tests.support.deliveries import email_recipient, webhook_recipient


def add(deliveries, count, *recipients):
    for number in range(count):
        for to in recipients or (email_recipient(f"r{number}"),):
            deliveries.add(to)


def test_an_unavailable_channel_opens_its_own_breaker_and_catches_up(
    deliveries, smtp_sink, http_sink
):
    smtp_sink.stop()
    add(deliveries, 10)
    add(deliveries, 10, webhook_recipient())
    result = deliver_due()
    assert (result["sent"], result["retrying"], result["circuit_open"]) == (10, 3, 7)
    assert len(http_sink.requests) == 10
    assert external_circuit_breaker("channel-email").current_state == "open"
    assert external_circuit_breaker("channel-webhook").current_state == "closed"
    waiting = [row for row in deliveries.rows() if row["channel"] == "email"]
    assert {row["attempts"] for row in waiting} == {0}, "the receiver got none of them"

    deliveries.let_time_pass()
    assert deliver_due()["circuit_open"] == 10, "nothing is tried"

    smtp_sink.start()
    external_circuit_breaker("channel-email").half_open()
    deliveries.let_time_pass()
    assert deliver_due()["sent"] == 10
    assert len(set(smtp_sink.ids())) == 10


def test_messages_wait_as_long_as_the_breaker(deliveries):
    add(deliveries, 3)
    external_circuit_breaker("channel-email").force_open(600)
    assert deliver_due()["circuit_open"] == 3
    (row,) = deliveries.run(
        "select min(extract(epoch from next_attempt_at - now())) as seconds"
        " from ops.deliveries where status = 'pending'"
    )
    assert 580 < row["seconds"] <= 600


def test_a_server_that_hangs_delays_no_other_channel(deliveries, smtp_sink, http_sink, monkeypatch):
    """All webhooks arrive while the mail server has not sent its greeting."""
    monkeypatch.setenv("ALERT_EMAIL_TIMEOUT_SECONDS", "1")
    settings.cache_clear()
    deliveries.add(email_recipient("ann"), key="<0@test>")
    add(deliveries, 20, webhook_recipient())
    with smtp_sink.pausing_connections() as held:
        result = deliver_due()
        assert held.is_set()
    assert (result["sent"], result["retrying"]) == (20, 1)
    assert len(http_sink.requests) == 20
    assert "no answer in time" in deliveries.row("<0@test>")["last_error"]


@pytest.mark.parametrize("concurrency", ["1", "4"])
def test_as_many_connections_as_there_are_threads(deliveries, http_sink, monkeypatch, concurrency):
    monkeypatch.setenv("DELIVERY_CONCURRENCY", concurrency)
    settings.cache_clear()
    for number in range(100):
        deliveries.add(webhook_recipient(), key=f"k{number}")
    assert deliver_due()["sent"] == 100
    assert sorted(http_sink.keys()) == sorted(f"k{n}" for n in range(100))
    assert http_sink.connections <= int(concurrency)
