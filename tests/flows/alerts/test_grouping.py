"""One cause that concerns many rules is one message to each owner."""

import pytest

from analytics_worker.delivery import deliver_due
from tests.flows.alerts.rules import (
    METRIC,
    execute,
    rule,
    set_metric,
    store_events,
    tick,
    watch,
)

pytestmark = pytest.mark.usefixtures("environment", "default_channels")

ANN, BOB = "ann@example.com", "bob@example.com"
CAUSE = 'relation "analytics.metric" does not exist'


def subjects(smtp_sink, address: str = ANN) -> list[str]:
    """Send due messages; return the subjects of those to the address."""
    deliver_due()
    return [
        str(each.mail["Subject"]) for each in smtp_sink.messages if each.recipients == [address]
    ]


def text_of(received) -> str:
    return received.mail.get_content().replace("\r\n", "\n")


def test_rules_that_one_dropped_table_breaks_are_one_message_to_each_owner(smtp_sink):
    set_metric(1)
    store_events(
        *(rule(f"ann{n}", "\n" * n + METRIC, owner=ANN) for n in range(30)),
        *(rule(f"bob{n}", METRIC, owner=BOB) for n in range(2)),
        rule("other", "select nope", owner=ANN),
    )
    tick(0)
    execute("drop table analytics.metric")
    watch()
    tick(1)
    assert sorted(subjects(smtp_sink)) == [
        f"[ERROR] 30 rules failed: {CAUSE}",
        '[ERROR] other: column "nope" does not exist (line 1 of the SQL)',
    ]
    assert subjects(smtp_sink, BOB) == [f"[ERROR] 2 rules failed: {CAUSE}"]
    (received,) = [each for each in smtp_sink.messages if each.recipients == [BOB]]
    assert text_of(received) == (
        f"2 rules failed: {CAUSE}\n\n"
        f"- [ERROR] bob0: {CAUSE} (line 1 of the SQL)\n  Owner: {BOB}\n"
        f"- [ERROR] bob1: {CAUSE} (line 1 of the SQL)\n  Owner: {BOB}\n"
    )


def test_their_recovery_is_one_message_to_those_who_got_the_first(smtp_sink):
    store_events(*(rule(f"r{n}", METRIC, owner=ANN) for n in range(3)))
    tick(0)
    deliver_due()
    set_metric(1)
    tick(1)
    assert subjects(smtp_sink) == [
        f"[ERROR] 3 rules failed: {CAUSE}",
        f"[ERROR RESOLVED] 3 rules recovered: {CAUSE}",
    ]


def test_one_rule_has_a_message_of_its_own(smtp_sink):
    store_events(rule("r", METRIC, owner=ANN))
    tick(0)
    assert subjects(smtp_sink) == [f"[ERROR] r: {CAUSE} (line 1 of the SQL)"]


def test_more_rules_than_one_message_lists_are_counted(smtp_sink, monkeypatch):
    monkeypatch.setattr("analytics_worker.delivery.digest.MAX_MEMBERS", 4)
    store_events(*(rule(f"r{n}", METRIC, owner=ANN) for n in range(10)))
    tick(0)
    assert subjects(smtp_sink) == [f"[ERROR] 10 rules failed: {CAUSE}"]
    lines = text_of(smtp_sink.messages[-1]).splitlines()
    listed = [each for each in lines if each.startswith("- ")]
    assert (len(listed), lines[-1]) == (4, "… and 6 more")


def test_webhooks_get_each_message(http_sink):
    store_events(*(rule(f"r{n}", METRIC, owner="webhook") for n in range(3)))
    tick(0)
    deliver_due()
    assert sorted(each.json["rule"] for each in http_sink.requests) == ["r0", "r1", "r2"]
