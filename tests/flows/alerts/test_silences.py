"""Silences of rules, owners, severities and keys: states change, and what matches is not notified."""

from datetime import timedelta
from typing import Any

import pytest

from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from flows.alerts.rules.model import Rule
from flows.alerts.rules.silence import Matcher, silence
from flows.alerts.tasks import prune
from tests.flows.alerts.rules import (
    METRIC,
    deliveries,
    execute,
    query,
    rule,
    set_metric,
    store,
    store_events,
    tick,
)

pytestmark = pytest.mark.usefixtures("environment")

HOUR = timedelta(hours=1)
ANN = "ann@example.com"
KEYS = "select team, stage, 11 as value from (values ('a', 'x'), ('a', 'y'), ('b', 'x')) as t (team, stage)"


def keyed(**fields: Any) -> Rule:
    return rule(sql=KEYS, key_columns=["team", "stage"], value="value", **fields)


def told() -> list[str]:
    return query("select key from ops.alert_states where told is not null order by key")


@pytest.mark.parametrize(
    ("matcher", "keys"),
    [
        (Matcher(keys=("a",)), ['["b", "x"]']),
        (Matcher("r", keys=("a",)), ['["b", "x"]']),
        (Matcher(keys=("x", "a")), ['["a", "y"]', '["b", "x"]']),
        (Matcher(keys=("c",)), ['["a", "x"]', '["a", "y"]', '["b", "x"]']),
        (Matcher(severity="warning"), ['["a", "x"]', '["a", "y"]', '["b", "x"]']),
        (Matcher("other", keys=("a",)), ['["a", "x"]', '["a", "y"]', '["b", "x"]']),
        (Matcher(severity="critical"), []),
        (Matcher(owner="owner@example.com"), []),
        (Matcher("r"), []),
    ],
)
def test_a_silence_concerns_what_matches_all_of_it(matcher, keys):
    store(keyed(), rule("other", "select 1 as value"))
    silence(matcher, HOUR, "maintenance")
    assert tick(0).unnotified == 0
    assert told() == keys
    assert query("select count(*) from ops.alert_status where status = 'firing'") == [3]
    silenced = "select key from ops.alert_status where silenced and name = 'r' order by key"
    assert query(silenced) == sorted({'["a", "x"]', '["a", "y"]', '["b", "x"]'} - set(keys))
    assert query("select count(*) from ops.alert_status where untold") == [0]


def test_what_still_fires_is_notified_when_the_silence_ends():
    store(keyed())
    silence(Matcher("r", keys=("a",)), HOUR, "")
    tick(0)
    silence(Matcher("r", keys=("a",)), timedelta(0), "")
    assert query("select count(*) from ops.alert_silences") == [0]
    tick(1)
    assert len(told()) == 3
    assert deliveries() == [("firing", "webhook")] * 2


def test_a_silence_ends_at_its_time():
    store(keyed())
    silence(Matcher(keys=("a",)), HOUR, "")
    execute("update ops.alert_silences set until = '2026-03-01T12:03:00Z'")
    for number, count in enumerate((1, 1, 3)):
        tick(number)
        assert len(told()) == count


def test_critical_is_notified_and_resolved_although_warnings_are_silenced():
    store(rule(sql=METRIC, threshold=None, warning=10, critical=20))
    silence(Matcher("r", severity="warning"), HOUR, "")
    for number, value in enumerate((11, 25, 11, 9)):
        set_metric(value)
        tick(number)
    assert [kind for kind, _ in deliveries()] == ["firing", "resolved"]


def test_a_repeat_does_not_include_a_silenced_key():
    store(keyed(repeat_every="2m"))
    tick(0)
    silence(Matcher(keys=("b",)), HOUR, "")
    tick(1)
    counts = "select keys from ops.alert_events order by id"
    assert query(counts) == [3, 2]


def test_an_error_is_silenced_for_rules_and_owners_and_not_for_keys_or_severities():
    store_events(rule("a", "select nope", owner=ANN), rule("b", "select nope"))
    silence(Matcher(owner=ANN), HOUR, "")
    silence(Matcher(severity="critical"), HOUR, "")
    tick(0)
    assert deliveries() == [("error", "owner@example.com")]
    assert query("select name from ops.alert_status where silenced") == ["a"]


def test_the_last_silence_of_the_same_alerts_counts():
    store(keyed())
    for reason in ("one", "two"):
        silence(Matcher(severity="critical", keys=("x", "a")), HOUR, reason)
        silence(Matcher(severity="critical", keys=("a", "x", "x")), HOUR, reason)
    assert query("select array_to_json(keys)::text, reason from ops.alert_silences") == [('["a","x"]', "two")]  # fmt: skip


def test_unknown_rules_and_owners_suggest_similar_ones():
    store(rule("win-rate", owner=ANN))
    with pytest.raises(PermanentError, match="did you mean 'win-rate'"):
        silence(Matcher("win-rte", keys=("a",)), HOUR, "")
    with pytest.raises(PermanentError, match=r"No owner .* did you mean 'ann@example.com'"):
        silence(Matcher(owner="an@example.com"), HOUR, "")


def test_old_silences_are_deleted(monkeypatch):
    monkeypatch.setenv("ALERT_HISTORY_RETENTION_DAYS", "3")
    settings.cache_clear()
    store(rule())
    for days in (2, 4):
        silence(Matcher(keys=(str(days),)), -timedelta(days=days), "")
    prune()
    assert query("select keys[1] from ops.alert_silences") == ["2"]


def test_a_silence_of_a_renamed_rule_goes_on():
    store(rule(), rule("other"))
    silence(Matcher("r"), HOUR, "")
    silence(Matcher("r", keys=("a",)), HOUR, "")
    store(rule("new", was="r"), rule("other"))
    tick(0)
    assert deliveries() == [("firing", "webhook")]
    assert query("select name from ops.alert_status where silenced") == ["new"]
    assert query("select distinct rule from ops.alert_silences") == ["new"]
