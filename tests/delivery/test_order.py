"""A recipient gets the messages of a topic in order, and a following message only after the one before."""

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from tests.support.deliveries import email_recipient, sender, webhook_recipient
from tests.support.wait_until import wait_until


@pytest.fixture(autouse=True)
def _no_owner(monkeypatch):
    """Disable notices of failures, so that the sinks have only the messages of these tests."""
    monkeypatch.setenv("ALERT_EMAIL_TO", "")


def fires(deliveries, *recipients, topic="pipeline", **columns):
    """Enqueue "firing" and return its id."""
    columns = {"subject": f"{topic} fires", "kind": "firing"} | columns
    return deliveries.add(*recipients, topic=topic, **columns)


def resolves(deliveries, *recipients, follows, topic="pipeline"):
    return deliveries.add(
        *recipients, subject=f"{topic} resolved", topic=topic, kind="resolved", follows=follows
    )


def arrived(smtp_sink):
    return [(each.recipients[0][0], str(each.mail["Subject"])) for each in smtp_sink.messages]


def test_resolved_waits_for_the_firing_that_is_retried(deliveries, smtp_sink):
    smtp_sink.refuse("ann@example.com", 451, times=2)
    firing = fires(deliveries, email_recipient("ann"), email_recipient("bob"))
    deliver_due()
    resolves(deliveries, email_recipient("ann"), email_recipient("bob"), follows=firing)
    assert deliver_due()["sent"] == 1
    assert arrived(smtp_sink) == [("b", "pipeline fires"), ("b", "pipeline resolved")]
    for _ in range(2):
        deliveries.let_time_pass()
        deliver_due()
    assert arrived(smtp_sink)[2:] == [("a", "pipeline fires"), ("a", "pipeline resolved")]


def test_other_topics_do_not_wait(deliveries, smtp_sink):
    smtp_sink.refuse("ann@example.com", 451, times=1)
    fires(deliveries, email_recipient("ann"))
    deliver_due()
    fires(deliveries, email_recipient("ann"), topic="revenue")
    fires(deliveries, email_recipient("ann"), topic="")
    assert deliver_due()["sent"] == 2


def test_a_recipient_without_the_firing_message_does_not_get_the_resolved_one(
    deliveries, smtp_sink, monkeypatch
):
    monkeypatch.delenv("ALERT_SLACK_URL")
    monkeypatch.delenv("ALERT_WEBHOOK_URL")
    settings.cache_clear()
    smtp_sink.refuse("ann@example.com", 550, times=1)
    firing = fires(deliveries, email_recipient("ann"), email_recipient("bob"))
    resolves(
        deliveries,
        email_recipient("ann"),
        email_recipient("bob"),
        email_recipient("carl"),
        follows=firing,
    )
    result = deliver_due()
    assert result["failed"] == 1
    subjects = [each for each in arrived(smtp_sink) if not each[1].startswith("Not delivered")]
    assert subjects == [("b", "pipeline fires"), ("b", "pipeline resolved")]
    cancelled = deliveries.run(
        "select recipient, last_error from ops.deliveries where status = 'cancelled' order by 1"
    )
    assert [row["recipient"] for row in cancelled] == ["ann@example.com", "carl@example.com"]
    assert "was not delivered to this recipient" in cancelled[0]["last_error"]


def test_a_recipient_of_a_later_message_of_the_incident_gets_the_resolved_one(
    deliveries, smtp_sink
):
    """Ann missed the first message, but got the reminder; Bob got neither."""
    smtp_sink.refuse("ann@example.com", 550, times=1)
    smtp_sink.refuse("bob@example.com", 550)
    firing = fires(deliveries, email_recipient("ann"), email_recipient("bob"))
    deliver_due()
    fires(
        deliveries, email_recipient("ann"), email_recipient("bob"), subject="pipeline still fires"
    )
    deliver_due()
    smtp_sink.refuse("bob@example.com", 550, times=0)
    resolves(deliveries, email_recipient("ann"), email_recipient("bob"), follows=firing)
    deliver_due()
    about = [each for each in arrived(smtp_sink) if each[1].startswith("pipeline")]
    assert about == [("a", "pipeline still fires"), ("a", "pipeline resolved")]
    assert deliveries.statuses().count("cancelled") == 1


def test_a_following_message_waits_for_a_later_one_that_is_retried(deliveries, smtp_sink):
    smtp_sink.refuse("ann@example.com", 550, times=1)
    firing = fires(deliveries, email_recipient("ann"))
    deliver_due()
    smtp_sink.refuse("ann@example.com", 451, times=1)
    fires(deliveries, email_recipient("ann"), subject="pipeline still fires")
    resolves(deliveries, email_recipient("ann"), follows=firing)
    deliver_due()
    assert ("a", "pipeline resolved") not in arrived(smtp_sink)
    deliveries.let_time_pass()
    deliver_due()
    assert arrived(smtp_sink)[-2:] == [("a", "pipeline still fires"), ("a", "pipeline resolved")]


def test_messages_to_whole_channels_are_followed_by_address(deliveries, smtp_sink, monkeypatch):
    monkeypatch.setenv("ALERT_EMAIL_TO", "ann@example.com,bob@example.com")
    settings.cache_clear()
    smtp_sink.refuse("ann@example.com", 451, times=1)
    firing = fires(deliveries, webhook_recipient("email"))
    resolves(deliveries, webhook_recipient("email"), follows=firing)
    deliver_due()
    assert arrived(smtp_sink) == [("b", "pipeline fires"), ("b", "pipeline resolved")]
    deliveries.let_time_pass()
    deliver_due()
    assert arrived(smtp_sink)[2:] == [("a", "pipeline fires"), ("a", "pipeline resolved")]


def test_firing_and_resolved_of_one_transaction_keep_their_order(deliveries, smtp_sink):
    firing = fires(deliveries, email_recipient("ann"))
    resolves(deliveries, email_recipient("ann"), follows=firing)
    assert deliver_due()["sent"] == 2
    assert [subject for _, subject in arrived(smtp_sink)] == ["pipeline fires", "pipeline resolved"]


def test_a_message_that_follows_a_pruned_one_is_sent(deliveries, http_sink):
    firing = fires(deliveries, webhook_recipient())
    deliver_due()
    resolves(deliveries, webhook_recipient(), follows=firing)
    deliveries.run("delete from ops.messages where id = :id", id=firing)
    assert deliver_due()["sent"] == 1
    assert len(http_sink.requests) == 2


def test_a_following_message_has_the_receipt_of_the_first(deliveries, http_sink):
    firing = fires(deliveries, webhook_recipient())
    deliver_due()
    deliveries.run("""update ops.deliveries set receipt = '{"ts": "17.4"}'""")
    resolves(deliveries, webhook_recipient(), follows=firing)
    fires(deliveries, webhook_recipient())
    deliver_due()
    assert [each.json["thread"] for each in http_sink.requests] == [{}, {"ts": "17.4"}, {}]


def test_many_threads_keep_the_order(deliveries, http_sink, monkeypatch):
    monkeypatch.setenv("DELIVERY_CONCURRENCY", "4")
    settings.cache_clear()
    keys = [f"k{number}" for number in range(60)]
    for key in keys:
        deliveries.add(webhook_recipient(), key=key, topic="pipeline")
    while deliver_due()["sent"]:
        pass
    assert http_sink.keys() == keys


def test_another_sender_does_not_overtake_one_that_is_sending(
    deliveries, http_sink, delivery_context
):
    deliveries.add(webhook_recipient(), key="firing", topic="pipeline")
    with http_sink.pausing_answer(to=1) as held, sender(delivery_context) as process:
        wait_until(held.is_set, timeout=90)
        deliveries.add(webhook_recipient(), key="resolved", topic="pipeline")
        assert deliver_due()["sent"] == 0
        http_sink.release()
        process.join(timeout=60)
    deliver_due()
    assert http_sink.keys() == ["firing", "resolved"]
