"""A message that waits is held back if a rule that its rule depends on begins to fire."""

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from tests.flows.alerts.rules import METRIC, execute, query, rule, set_metric, store, tick

pytestmark = pytest.mark.usefixtures("environment", "default_channels")

EMAIL = [{"email": ["ann@example.com"]}]
KEYS = "select key, 11 as value from unnest(array['a', 'b']) as key"


@pytest.fixture(autouse=True)
def _messages_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERT_GROUP_WAIT_SECONDS", "600")
    settings.cache_clear()


def sent(smtp_sink) -> list[str]:
    execute("update ops.deliveries set group_until = group_until - interval '1 hour'")
    deliver_due()
    return [str(each.mail["Subject"]).split(":")[0] for each in smtp_sink.messages]


def test_a_waiting_message_is_sent_when_the_other_rule_ends(smtp_sink):
    set_metric(9)
    store(rule("job", sql=METRIC, channels=[]), rule(depends_on="job", channels=EMAIL))
    tick(0)
    set_metric(11)
    tick(1)
    assert query("select last_error from ops.deliveries") == ["muted before it was sent"]
    tick(2)
    assert sent(smtp_sink) == []
    set_metric(9)
    tick(3)
    assert sent(smtp_sink) == ["[CRITICAL] r"]
    tick(4)
    assert len(sent(smtp_sink)) == 1


def test_nothing_is_sent_if_the_alert_ends_while_it_is_muted(smtp_sink):
    set_metric(9)
    execute("create table analytics.own as select 11 as value")
    execute("grant select on analytics.own to analytics_reader")
    own = rule("r", "select value from analytics.own", depends_on="job", channels=EMAIL)
    store(rule("job", sql=METRIC, channels=[]), own)
    tick(0)
    set_metric(11)
    tick(1)
    execute("update analytics.own set value = 9")
    tick(2)
    set_metric(9)
    tick(3)
    assert sent(smtp_sink) == []


def test_other_messages_are_sent_as_they_were_written(smtp_sink):
    set_metric(9)
    one_key = f"select 'a' as key, value from ({METRIC}) as m"
    store(
        rule("job", one_key, key_columns=["key"], on_missing_key="keep", channels=[]),
        rule("both", KEYS, key_columns=["key"], depends_on="job", channels=EMAIL),
        rule("free", channels=EMAIL),
    )
    tick(0)
    set_metric(11)
    tick(1)
    (mail,) = (sent(smtp_sink), smtp_sink.messages)[1]
    text = mail.mail.get_body(("plain",)).get_content()
    assert "both" in text
    assert "free" in text
