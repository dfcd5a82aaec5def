"""Alerts of a rule are muted while a rule that it depends on fires."""

from typing import Any

import pytest

from flows.alerts.evaluation import runner
from flows.alerts.rules.model import Rule
from flows.alerts.rules.sync import sync
from tests.flows.alerts.rules import deliveries, execute, incident_rules, query, rule, store, tick

pytestmark = pytest.mark.usefixtures("environment")

EVENTS = (
    "select rule.name, event.kind from ops.alert_events as event"
    " join ops.alert_rules as rule on event.rule_id = rule.id order by event.id"
)
STATUS = "select name, status, muted_by from ops.alert_status order by name, key"


def set_value(name: str, value: float | None) -> None:
    execute("create table if not exists analytics.metrics (name text primary key, value float)")
    execute("grant select on analytics.metrics to analytics_reader")
    execute("delete from analytics.metrics where name = :name", name=name)
    execute("insert into analytics.metrics values (:name, :value)", name=name, value=value)


def of(name: str, **fields: Any) -> Rule:
    """Return a rule that fires while its value is above 10."""
    set_value(name, 11)
    return rule(name, f"select value from analytics.metrics where name = '{name}'", **fields)


def events() -> list[tuple[str, str]]:
    """Return rule and kind of the events since the last call."""
    found = query(EVENTS)
    execute("delete from ops.alert_events")
    return found


def run(number: int, *values: tuple[str, float | None]) -> list[tuple[str, str]]:
    for each in values:
        set_value(*each)
    tick(number)
    return events()


def test_rules_that_depend_on_a_rule_are_muted_while_it_fires():
    store(*(of(f"child{n}", depends_on="parent") for n in range(3)), of("parent"))
    assert run(0) == [("parent", "firing")]
    assert query(STATUS) == [(f"child{n}", "firing", "parent") for n in range(3)] + [
        ("parent", "firing", None)
    ]
    assert query("select count(*) from ops.alert_status where untold") == [0]
    assert query("select count(*) from ops.alert_evaluations where status = 'firing'") == [4]
    assert run(1, ("child1", 9)) == []
    assert run(2, ("parent", 9)) == [
        ("parent", "resolved"), ("child0", "firing"), ("child2", "firing"),
    ]  # fmt: skip
    assert query("select count(*) from ops.alert_status where muted_by is not null") == [0]


def test_an_alert_that_was_notified_resolves_after_the_mute():
    store(of("child", depends_on="parent"), of("parent"))
    set_value("parent", 9)
    assert run(0) == [("child", "firing")]
    assert run(1, ("parent", 11), ("child", 9)) == [("parent", "firing")]
    assert run(2, ("parent", 9)) == [("parent", "resolved"), ("child", "resolved")]


def test_any_of_several_rules_mutes_and_a_chain_only_its_next_link():
    store(
        of("c", depends_on=["b"]), of("b", depends_on=["a"]), of("a"), of("d", depends_on=["x", "a"]), of("x")
    )  # fmt: skip
    assert run(0, ("x", 9)) == [("a", "firing")]
    assert run(1, ("b", 9)) == [("c", "firing")]
    assert run(2, ("x", 11), ("a", 9)) == [("a", "resolved"), ("x", "firing")]
    assert query("select muted_by from ops.alert_status where name = 'd'") == ["x"]


def test_a_parent_of_the_other_file_mutes():
    parent, child = of("parent"), of("child", depends_on="parent")
    sync({("threshold", "parent"): parent, ("alert", "child"): child})
    tick(0, ["threshold"])
    assert run(1) == [("parent", "firing")]


def test_keys_of_the_same_columns_are_muted_one_by_one():
    keyed = (
        "select {} from (values ('a', 'x', 11), ('b', 'y', 11)) as t (host, disk, value) where {}"
    )
    both = {"key_columns": ["host", "disk"], "value": "value"}
    store(
        rule("child", keyed.format("host, disk, value", "true"), depends_on="parent", **both),
        rule(
            "parent",
            keyed.format("disk, host, value", "host = 'a'"),
            value="value",
            key_columns=["disk", "host"],
        ),
        rule("other", keyed.format("host, value", "true"), key_columns=["host"], value="value", depends_on="parent"),
    )  # fmt: skip
    assert run(0) == [("parent", "firing"), ("child", "firing")]
    assert query(
        "select key, muted_by from ops.alert_status where name = 'child' order by key"
    ) == [
        ('["a", "x"]', "parent"),
        ('["b", "y"]', None),
    ]
    assert query("select distinct muted_by from ops.alert_status where name = 'other'") == [
        "parent"
    ]


def test_a_parent_that_fails_mutes_for_its_no_data_after():
    store(of("child", depends_on="parent"), of("parent", no_data_after="4m"))
    assert run(0) == [("parent", "firing")]
    execute("drop table analytics.metrics")
    execute(
        "update ops.alert_rules set definition = jsonb_set(definition, '{sql}', '\"select 11\"') where name = 'child'"
    )
    assert [run(number) for number in (1, 2, 3)] == [
        [],
        [],
        [("child", "firing")],
    ]
    assert incident_rules() == ["parent"]


def test_a_rule_without_data_or_with_an_error_is_muted_for_its_owner_too():
    store(
        of("parent"),
        rule("child", "select nope", depends_on="parent"),
        rule("empty", "select null::int as value", depends_on="parent", no_data_after="2m"),
    )
    assert run(0) + run(1) == [("parent", "firing")]
    assert query("select name from ops.alert_status where untold") == []
    assert incident_rules() == []
    assert sorted(run(2, ("parent", 9))) == [("empty", "missing_data"), ("parent", "resolved")]
    assert incident_rules() == ["child"]


def test_the_former_name_of_a_renamed_rule_is_its_name():
    store(of("child", depends_on="parent"), of("parent"))
    tick(0)
    store(of("child", depends_on="parent"), of("new", was="parent"))
    events()
    assert run(1, ("new", 11)) == []
    assert query("select muted_by from ops.alert_status where name = 'child'") == ["new"]


def test_a_parent_that_is_removed_or_disabled_does_not_mute():
    store(of("child", depends_on="parent"), of("parent"))
    tick(0)
    store(of("child", depends_on="parent"), of("parent", enabled=False))
    events()
    assert run(1) == [("child", "firing")]
    assert deliveries()[-1] == ("firing", "webhook")


def test_rules_of_a_later_batch_wait_for_those_that_they_depend_on(monkeypatch):
    monkeypatch.setattr("flows.alerts.evaluation.locking.BATCH_SIZE", 2)
    monkeypatch.setattr(runner, "BATCH_SIZE", 2)
    children = [of(f"child{n}", depends_on="parent") for n in range(6)]
    store(*children, of("parent"))
    assert run(0) == [("parent", "firing")]
