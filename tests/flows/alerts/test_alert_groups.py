"""Alerts of many rules that start to fire together are one message to each recipient and channel."""

import multiprocessing
import os
import signal
from typing import Any

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.delivery.pacing import digest_by_key
from analytics_worker.delivery.routing import channel
from analytics_worker.delivery.store import delivery_store
from analytics_worker.settings import settings
from flows.alerts.evaluation.flow_results import delivery_line
from flows.alerts.rules.model import Rule
from flows.alerts.tasks import deliver
from tests.flows.alerts.rules import (
    METRIC,
    deliveries,
    execute,
    query,
    rule,
    set_metric,
    store,
    tick,
)

pytestmark = pytest.mark.usefixtures("environment", "default_channels")

ANN, BOB = "ann@example.com", "bob@example.com"
WAITING = "select count(*) from ops.deliveries where group_until is not null"


def to(name: str, *addresses: str, **fields: Any) -> Rule:
    return rule(name, **{"sql": METRIC, "channels": [{"email": list(addresses)}], **fields})  # pyright: ignore[reportArgumentType]


def mails(smtp_sink, address: str = ANN) -> list[tuple[str, str]]:
    """Send due messages; return subject and text of all that the address got."""
    deliver_due()
    return [
        (str(each.mail["Subject"]), body(each.mail))
        for each in smtp_sink.messages
        if each.recipients == [address]
    ]


def body(mail) -> str:
    return mail.get_body(("plain",)).get_content().replace("\r\n", "\n")


def group_wait(monkeypatch, seconds: int) -> None:
    monkeypatch.setenv("ALERT_GROUP_WAIT_SECONDS", str(seconds))
    settings.cache_clear()


def let_wait_end() -> None:
    execute("update ops.deliveries set group_until = group_until - interval '1 hour'")


def test_rules_that_start_to_fire_in_one_run_are_one_message_with_the_worst_first(smtp_sink):
    set_metric(11)
    low = {"threshold": None, "warning": 10, "critical": 20}
    store(
        *(to(f"warn{n}", ANN, **low) for n in range(2)),
        *(to(f"crit{n}", ANN, BOB) for n in range(2)),
        to("keys", ANN, sql="select k, 12 as value from generate_series(1, 30) as k", key_columns=["k"]),
    )  # fmt: skip
    tick(0)
    ((subject, text),) = mails(smtp_sink)
    assert subject == "[CRITICAL] 5 alerts: crit0: 11 (value > 10) and 4 more"
    assert text == (
        "5 alerts: crit0: 11 (value > 10) and 4 more\n\n"
        "- [CRITICAL] crit0: 11 (value > 10)\n  Owner: owner@example.com\n"
        "- [CRITICAL] crit1: 11 (value > 10)\n  Owner: owner@example.com\n"
        "- [CRITICAL] keys: 30 keys, worst 1 at 12\n  Owner: owner@example.com\n"
        "- [WARNING] warn0: 11 (value > 10)\n  Owner: owner@example.com\n"
        "- [WARNING] warn1: 11 (value > 10)\n  Owner: owner@example.com\n"
    )
    assert [each for each, _ in mails(smtp_sink, BOB)] == [
        "[CRITICAL] 2 alerts: crit0: 11 (value > 10) and 1 more"
    ]
    set_metric(9)
    tick(1)
    assert [each for each, _ in mails(smtp_sink)][1:] == [
        "[RESOLVED] 4 alerts resolved: warn0: resolved after 2m (worst 11) and 3 more"
    ]
    assert query("select distinct status from ops.deliveries order by status") == [
        "digested",
        "sent",
    ]


def test_repeats_are_one_message_and_a_later_alert_is_not_part_of_it(smtp_sink):
    set_metric(11)
    store(*(to(f"r{n}", ANN, repeat_every="2m") for n in range(2)), to("new", ANN, sql="select 1 as value"))  # fmt: skip
    tick(0)
    mails(smtp_sink)
    store(*(to(f"r{n}", ANN, repeat_every="2m") for n in range(2)), to("new", ANN))
    tick(1)
    assert sorted(subject for subject, _ in mails(smtp_sink)[1:]) == [
        "[CRITICAL] new: 11 (value > 10)",
        "[STILL CRITICAL] 2 alerts still firing: r0: 11 (value > 10) and 1 more",
    ]


def test_each_group_of_a_rule_with_group_by_is_a_message(smtp_sink):
    keys = {"key_columns": ["k"], "group_by": ["k"], "value": "value"}
    store(to("r", ANN, sql="select k, 11 as value from generate_series(1, 3) as k", **keys))
    tick(0)
    assert sorted(subject for subject, _ in mails(smtp_sink)) == [
        f"[CRITICAL] r ({k}): {k} at 11 (value > 10)" for k in (1, 2, 3)
    ]


def test_webhooks_and_incident_services_get_each_alert(http_sink):
    set_metric(11)
    store(*(rule(f"r{n}", METRIC, channels=["webhook"]) for n in range(3)))
    tick(0)
    deliver_due()
    assert sorted(each.json["rule"] for each in http_sink.requests) == ["r0", "r1", "r2"]


def test_an_alert_waits_for_those_of_later_runs(smtp_sink, http_sink, monkeypatch):
    group_wait(monkeypatch, 600)
    set_metric(11)
    both = {"channels": ["webhook", {"email": [ANN]}]}
    store(to("a", **both), to("b", **both, **{"for": "2m"}), to("c", ANN, **{"for": "6m"}))
    for number in range(2):
        tick(number)
        assert mails(smtp_sink) == []
        assert len(http_sink.requests) == number + 1
    let_wait_end()
    tick(3)
    assert [subject for subject, _ in mails(smtp_sink)] == [
        "[CRITICAL] 3 alerts: a: 11 (value > 10) and 2 more"
    ]
    assert query(WAITING) == [2]  # of the webhook, which does not wait
    assert len(http_sink.requests) == 2


def test_an_alert_that_no_other_joins_is_sent_alone_after_its_wait(smtp_sink, monkeypatch):
    group_wait(monkeypatch, 60)
    store(to("a", ANN, sql="select 11 as value"))
    messages = [str(each) for each in tick(0).message_ids]
    waiting = deliver(messages)
    assert waiting["own"] == {"sent": 0, "waiting": 1, "failed": 0}
    assert delivery_line(waiting) == "0 notifications sent, 1 waiting for those of other rules"
    let_wait_end()
    assert [subject for subject, _ in mails(smtp_sink)] == ["[CRITICAL] a: 11 (value > 10)"]


def test_an_alert_is_not_resolved_before_its_group_is_sent(smtp_sink, monkeypatch):
    set_metric(11)
    store(*(to(f"r{n}", ANN) for n in range(2)))
    group_wait(monkeypatch, 600)
    tick(0)
    set_metric(9)
    group_wait(monkeypatch, 0)
    tick(1)
    assert mails(smtp_sink) == []
    let_wait_end()
    assert [subject.split(":")[0] for subject, _ in mails(smtp_sink)] == [
        "[CRITICAL] 2 alerts",
        "[RESOLVED] 2 alerts resolved",
    ]


def test_messages_that_were_written_after_the_grouping_are_not_sent_one_by_one():
    set_metric(11)
    store(*(to(f"r{n}", ANN) for n in range(3)))
    with delivery_store("alerts") as sender:
        assert digest_by_key(sender, channel("email")) == 0
        tick(0)
        assert sender.claim("email", batch=25, grouped=True) == []
        assert digest_by_key(sender, channel("email")) == 1
        assert len(sender.claim("email", batch=25, grouped=True)) == 1


def test_a_group_that_can_not_be_sent_is_retried_as_one(smtp_sink):
    smtp_sink.refuse(ANN, 450)
    set_metric(11)
    store(*(to(f"r{n}", ANN) for n in range(3)))
    tick(0)
    assert mails(smtp_sink) == []
    smtp_sink.refuse(ANN, 450, times=0)
    execute("update ops.deliveries set next_attempt_at = now()")
    assert len(mails(smtp_sink)) == 1
    assert query("select distinct status from ops.deliveries order by status") == [
        "digested",
        "sent",
    ]


def group_and_kill() -> None:
    with delivery_store("alerts") as sender:
        digest_by_key(sender, channel("email"))
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_group_of_a_killed_sender_is_sent_once_with_its_id(smtp_sink):
    set_metric(11)
    store(*(to(f"r{n}", ANN) for n in range(3)))
    tick(0)
    process = multiprocessing.get_context("fork").Process(target=group_and_kill)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    (key,) = query(
        "select delivery.idempotency_key from ops.deliveries as delivery"
        " join ops.messages as message on delivery.message_id = message.id where message.kind = 'digest'"
    )
    assert len(mails(smtp_sink)) == 1
    assert len(mails(smtp_sink)) == 1
    (message_id,) = smtp_sink.ids()
    assert message_id.strip("<>").removesuffix("@example.com") == key
    assert [kind for kind, _ in deliveries()] == ["firing"] * 3 + ["digest"]
