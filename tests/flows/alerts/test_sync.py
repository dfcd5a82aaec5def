"""Synchronization of the rules in the database with the definition files."""

import pytest

from analytics_worker.definitions.durations import parse_duration
from analytics_worker.errors import PermanentError
from flows.alerts.rules.model import Rule
from flows.alerts.rules.silence import Matcher, silence
from flows.alerts.rules.sync import diff, sync
from flows.alerts.rules.yaml_files import Definitions
from tests.flows.alerts.rules import METRIC, deliveries, execute, query, rule, set_metric, tick

pytestmark = pytest.mark.usefixtures("environment")


def rules(*each: Rule) -> Definitions:
    return {("alert", r.name): r for r in each}


def test_a_second_sync_changes_nothing():
    definitions = rules(rule("a"), rule("b"))
    assert [c.action for c in sync(definitions)] == ["new", "new"]
    before = query("select xmin::text, name from ops.alert_rules")
    assert sync(definitions) == []
    assert query("select xmin::text, name from ops.alert_rules") == before


def test_diff_returns_the_changes_and_stores_nothing():
    sync(rules(rule("a"), rule("b")))
    definitions = rules(rule("a", threshold=50), rule("c"))
    changes = {c.name: c for c in diff(definitions)}
    assert {name: c.action for name, c in changes.items()} == {
        "a": "changed",
        "b": "retired",
        "c": "new",
    }
    assert changes["a"].fields == {"threshold": (10.0, 50.0)}
    assert query("select name from ops.alert_rules order by 1") == ["a", "b"]
    assert diff(definitions) == list(changes.values())


def test_a_changed_rule_takes_effect_in_the_next_period_and_keeps_its_state():
    set_metric(11)
    sync(rules(rule(sql=METRIC)))
    tick(0)
    sync(rules(rule(sql=METRIC, threshold=5)))
    assert tick(0).evaluated == 0
    assert tick(1).evaluated == 1
    assert deliveries() == [("firing", "webhook")]


def test_a_removed_rule_is_retired():
    sync(rules(rule()))
    tick(0)
    sync({})
    assert tick(1).evaluated == 0
    assert query("select count(*) from ops.alert_status") == [0]


def test_an_invalid_stored_definition_affects_only_its_rule():
    sync(rules(rule("old"), rule("new")))
    execute(
        "update ops.alert_rules set definition = definition || '{\"color\": 1}' where name = 'old'"
    )
    assert (tick(0).errors, tick(1).firing) == (1, 1)
    assert deliveries()[0] in {("error", "owner@example.com"), ("firing", "webhook")}


def test_silencing_an_unknown_rule_suggests_a_similar_one():
    sync(rules(rule("win-rate")))
    with pytest.raises(PermanentError, match="did you mean 'win-rate'"):
        silence(Matcher("win-rte"), parse_duration("1h"), "")
