"""Messages of alerts that are silenced before they are sent are held back until the silence ends."""

from datetime import timedelta

import pytest
from typer.testing import CliRunner

from analytics_worker.cli.alerts import alerts
from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from flows.alerts.evaluation.held_messages import cancel_silenced
from flows.alerts.rules.silence import Matcher, silence
from tests.flows.alerts.rules import METRIC, execute, query, rule, set_metric, store, tick

pytestmark = pytest.mark.usefixtures("environment", "default_channels")

HOUR = timedelta(hours=1)
KEYS = "select key, 11 as value from unnest(array['a', 'b']) as key"
EMAIL = [{"email": ["ann@example.com"]}]


@pytest.fixture(autouse=True)
def _messages_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERT_GROUP_WAIT_SECONDS", "600")
    settings.cache_clear()


def sent(smtp_sink) -> list[str]:
    execute("update ops.deliveries set group_until = group_until - interval '1 hour'")
    deliver_due()
    return [str(each.mail["Subject"]).split(":")[0] for each in smtp_sink.messages]


def test_a_waiting_message_is_sent_after_the_silence_if_the_alert_still_fires(smtp_sink):
    store(rule(channels=EMAIL), rule("other", channels=EMAIL))
    tick(0)
    result = CliRunner().invoke(alerts, ["silence", "r"])
    assert result.output.splitlines()[1:] == ["1 message not sent yet is held back"]
    assert cancel_silenced() == 0
    assert sent(smtp_sink) == ["[CRITICAL] other"]
    tick(1)
    assert sent(smtp_sink) == ["[CRITICAL] other"]
    silence(Matcher("r"), timedelta(0), "")
    tick(2)
    assert sent(smtp_sink) == ["[CRITICAL] other", "[CRITICAL] r"]
    tick(3)
    assert len(sent(smtp_sink)) == 2


def test_nothing_is_sent_of_an_alert_that_is_resolved_within_the_silence(smtp_sink):
    set_metric(11)
    store(rule(sql=METRIC, channels=EMAIL))
    tick(0)
    silence(Matcher(severity="critical"), HOUR, "")
    assert cancel_silenced() == 1
    set_metric(9)
    tick(1)
    silence(Matcher(severity="critical"), timedelta(0), "")
    tick(2)
    assert sent(smtp_sink) == []
    assert query("select distinct status from ops.deliveries") == ["cancelled"]
    set_metric(11)
    tick(3)
    assert sent(smtp_sink) == ["[CRITICAL] r"]
    set_metric(9)
    tick(4)
    assert sent(smtp_sink) == ["[CRITICAL] r", "[RESOLVED] r"]


def test_a_held_alert_is_resolved_after_it_was_sent(smtp_sink):
    set_metric(11)
    store(rule(sql=METRIC, channels=EMAIL))
    tick(0)
    silence(Matcher("r"), HOUR, "")
    cancel_silenced()
    silence(Matcher("r"), timedelta(0), "")
    tick(1)
    set_metric(9)
    tick(2)
    sent(smtp_sink)
    assert sent(smtp_sink) == ["[CRITICAL] r", "[RESOLVED] r"]


def test_a_message_of_which_a_part_is_silenced_is_sent_as_it_was_written(smtp_sink):
    store(rule(sql=KEYS, key_columns=["key"], channels=EMAIL))
    tick(0)
    silence(Matcher(keys=("a",)), HOUR, "")
    assert cancel_silenced() == 0
    silence(Matcher("r", keys=("b",)), HOUR, "")
    assert cancel_silenced() == 1
    assert sent(smtp_sink) == []
