"""Nobody hears that an alert is over before hearing that it fires, however often that was tried."""

import pytest

from analytics_worker.settings import settings
from flows.alerts.notifications.outbox import deliver_due
from tests.support.outbox import sender
from tests.support.waiting import wait_until


class Story:
    """Two alerts, and what happened to them."""

    def __init__(self, outbox) -> None:
        self.outbox = outbox
        self.rules = {name: self._rule(name) for name in ("pipeline", "revenue")}

    def _rule(self, name) -> int:
        (row,) = self.outbox.run(
            "insert into ops.alert_rules (kind, name, definition, every)"
            " values ('alert', :name, '{}', '2 minutes') returning id",
            name=name,
        )
        return row["id"]

    def happens(self, kind, *recipients, rule="pipeline", group="") -> None:
        (event,) = self.outbox.run(
            "insert into ops.alert_events (rule_id, kind, group_key)"
            " values (:rule, :kind, :group) returning id",
            rule=self.rules[rule],
            kind=kind,
            group=group,
        )
        for recipient in recipients:
            key = f"{rule}{group}-{kind}-{recipient.partition('@')[0]}"
            if "@" in recipient:
                self.outbox.add("email", recipient, f"<{key}@test>", event["id"])
            else:
                self.outbox.add(recipient, recipient, key, event["id"])


@pytest.fixture
def story(outbox) -> Story:
    return Story(outbox)


ANN, BOB = "ann@example.com", "bob@example.com"


def test_resolved_waits_for_the_firing_that_is_tried_again(story, outbox, smtp_sink):
    smtp_sink.refuse(ANN, 451, times=2)
    story.happens("firing", ANN, BOB)
    deliver_due()
    story.happens("resolved", ANN, BOB)
    assert deliver_due()["sent"] == 1
    bobs = ["<pipeline-firing-bob@test>", "<pipeline-resolved-bob@test>"]
    assert smtp_sink.ids() == bobs, "only the one who missed something waits"
    outbox.let_time_pass()
    assert deliver_due() == {"sent": 0, "failed": 0, "retrying": 1, "skipped_open": 0}
    outbox.let_time_pass()
    assert deliver_due()["sent"] == 2
    assert smtp_sink.ids()[2:] == ["<pipeline-firing-ann@test>", "<pipeline-resolved-ann@test>"]


def test_other_alerts_and_other_groups_wait_for_nothing(story, smtp_sink):
    smtp_sink.refuse(ANN, 451, times=1)
    story.happens("firing", ANN)
    deliver_due()
    story.happens("firing", ANN, rule="revenue")
    story.happens("firing", ANN, group="emea")
    assert deliver_due()["sent"] == 2


def test_a_firing_that_was_given_up_holds_nothing_back(story, smtp_sink):
    smtp_sink.refuse(ANN, 550, times=1)
    story.happens("firing", ANN)
    story.happens("resolved", ANN)
    assert deliver_due() == {"sent": 1, "failed": 1, "retrying": 0, "skipped_open": 0}
    assert smtp_sink.ids() == ["<pipeline-resolved-ann@test>"]


def test_many_posters_keep_the_order(story, http_sink, monkeypatch):
    monkeypatch.setenv("ALERT_DELIVERY_POSTERS", "4")
    settings.cache_clear()
    kinds = ("firing", "still_firing", "no_data", "resolved")
    for kind in kinds:
        story.happens(kind, "webhook")
    while deliver_due()["sent"]:
        pass
    assert http_sink.keys() == [f"pipeline-{kind}-webhook" for kind in kinds]


def test_another_sender_does_not_overtake_one_that_is_sending(story, http_sink, sender_context):
    story.happens("firing", "webhook")
    with http_sink.holding_answer(to=1) as held, sender(sender_context) as process:
        wait_until(held.is_set, timeout=90)
        story.happens("resolved", "webhook")
        assert deliver_due()["sent"] == 0
        http_sink.release()
        process.join(timeout=60)
    deliver_due()
    assert http_sink.keys() == ["pipeline-firing-webhook", "pipeline-resolved-webhook"]
