"""A candidate is notified of every message that could not be delivered, or it is counted."""

from datetime import timedelta

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.delivery.message import Recipient
from analytics_worker.delivery.owner_notices import next_candidates
from analytics_worker.settings import settings
from tests.support.deliveries import email_recipient

OWNER = "owner@example.com"


@pytest.fixture
def default(monkeypatch, deliveries):
    """Set an address as the only default channel."""
    del deliveries
    for name in ("ALERT_SLACK_URL", "ALERT_WEBHOOK_URL"):
        monkeypatch.delenv(name)

    def to(*addresses):
        monkeypatch.setenv("ALERT_EMAIL_TO", ",".join(addresses))
        settings.cache_clear()

    to()
    return to


def recipients(smtp_sink):
    return [each.recipients[0] for each in smtp_sink.messages]


def test_the_owner_is_notified_once_of_all_failed_recipients(deliveries, smtp_sink):
    smtp_sink.refuse("gone@example.com", 550)
    smtp_sink.refuse("away@example.com", 550)
    smtp_sink.refuse("busy@example.com", 451)
    deliveries.add(
        email_recipient("gone"),
        email_recipient("away"),
        email_recipient("busy"),
        email_recipient("ann"),
        owner=OWNER,
    )
    result = deliver_due()
    assert (result["sent"], result["failed"], result["retrying"]) == (2, 2, 1)
    deliveries.run("update ops.deliveries set status = 'failed' where status = 'pending'")
    deliver_due()
    assert recipients(smtp_sink).count(OWNER) == 1
    notice = smtp_sink.messages[-1].mail
    assert str(notice["Subject"]) == "Not delivered: Pipeline fell"
    text = notice.get_content()
    assert "away@example.com: 550 refused" in text
    assert "gone@example.com: 550 refused" in text
    assert "Still being retried:\r\nbusy@example.com: 451 refused" in text


def test_an_owner_who_is_the_refused_recipient_is_skipped(deliveries, smtp_sink, default):
    default("ops@example.com")
    smtp_sink.refuse(OWNER, 550)
    deliveries.add(email_recipient("owner"), owner=OWNER)
    assert deliver_due()["unheard"] == 0
    assert recipients(smtp_sink) == ["ops@example.com"]


def test_without_an_owner_the_default_channels_are_notified(deliveries, smtp_sink, default):
    default("ops@example.com", "dev@example.com")
    smtp_sink.refuse("ann@example.com", 550)
    deliveries.add(email_recipient("ann"))
    deliver_due()
    assert sorted(recipients(smtp_sink)) == ["dev@example.com", "ops@example.com"]


def test_a_failed_notice_is_addressed_to_the_next_candidate(deliveries, smtp_sink, default):
    default("ops@example.com")
    for name in ("ann", "owner", "backup"):
        smtp_sink.refuse(f"{name}@example.com", 550)
    deliveries.add(
        email_recipient("ann"),
        email_recipient("bob"),
        owner=OWNER,
        fallback=[email_recipient("backup")],
    )
    result = deliver_due()
    assert recipients(smtp_sink) == ["bob@example.com", "bob@example.com"]
    assert (result["failed"], result["unheard"]) == (3, 0)
    assert deliver_due()["sent"] == 0


def test_a_notice_without_a_recipient_left_is_counted_once(deliveries, smtp_sink, default):
    default("ops@example.com")
    for name in ("ann", "owner", "ops"):
        smtp_sink.refuse(f"{name}@example.com", 550)
    deliveries.add(email_recipient("ann"), owner=OWNER)
    result = deliver_due()
    assert (result["failed"], result["unheard"]) == (3, 1)
    assert deliver_due() | {"unheard": 0} == deliver_due()
    (row,) = deliveries.run("select count(*) as n from ops.messages where unheard_at is not null")
    assert row["n"] == 1
    default("ops@example.com", "new@example.com")
    assert deliver_due()["sent"] == 1
    assert recipients(smtp_sink) == ["new@example.com"]
    (row,) = deliveries.run("select count(*) as n from ops.messages where unheard_at is not null")
    assert row["n"] == 0


def test_an_owner_may_be_a_channel(deliveries, smtp_sink, http_sink):
    smtp_sink.refuse("ann@example.com", 550)
    deliveries.add(email_recipient("ann"), owner="webhook")
    deliver_due()
    assert http_sink.requests[0].json["subject"] == "Not delivered: Pipeline fell"


def test_a_channel_that_did_not_answer_is_not_used_for_the_notice(deliveries, smtp_sink, http_sink):
    smtp_sink.stop()
    deliveries.add(email_recipient("ann"), owner=OWNER)
    deliver_due()
    deliveries.age(timedelta(hours=25))
    deliver_due()
    assert [each.json["subject"] for each in http_sink.requests] == [
        "Not delivered: Pipeline fell"
    ] * 2  # to both default channels


def test_the_notice_of_a_report_contains_the_resend_command(deliveries, smtp_sink):
    smtp_sink.refuse("ann@example.com", 550)
    deliveries.add(email_recipient("ann"), owner=OWNER, domain="reports", reference="17")
    deliver_due("reports")
    assert "analytics-worker reports resend 17 --failed" in smtp_sink.messages[0].mail.get_content()


def row(channel, recipient, status="failed", attempts=1):
    return {"channel": channel, "recipient": recipient, "status": status, "attempts": attempts}


def test_the_order_of_candidates(environment, monkeypatch):
    del environment
    monkeypatch.setenv("ALERT_WEBHOOK_URL", "https://h/1")
    monkeypatch.setenv("ALERT_EMAIL_HOST", "mail.example.com")
    settings.cache_clear()
    failed = row("email", "a@x")
    chain = []
    notices = []
    while found := next_candidates(
        "o@x", [["slack", "slack"]], [failed, row("t", "t", "sent")], notices
    ):
        chain.append([(each.channel, each.address) for each in found])
        notices += [row(each.channel, each.address) for each in found]
    assert chain == [
        [("email", "o@x")],
        [("slack", "slack")],
        [("t", "t")],
        [("webhook", "webhook")],
    ]
    assert next_candidates(None, [], [row("email", "a@x")], [])[0] == Recipient(
        "webhook", "webhook"
    )


def test_a_failed_bcc_recipient_is_not_disclosed_to_other_recipients(
    deliveries, smtp_sink, default
):
    smtp_sink.refuse("blind@example.com", 550)
    deliveries.add(
        email_recipient("ann"), email_recipient("blind")._replace(role="bcc"), domain="reports"
    )
    assert deliver_due()["unheard"] == 1
    assert recipients(smtp_sink) == ["ann@example.com"]
    default("ops@example.com")
    deliver_due()
    assert recipients(smtp_sink) == ["ann@example.com", "ops@example.com"]
