"""The last values of an alert, from the history into its messages."""

import json

import pytest

from tests.flows.alerts.rules import METRIC, last_content, query, rule, set_metric, store, tick

pytestmark = pytest.mark.usefixtures("environment")


def test_a_message_has_the_values_of_the_history_up_to_the_current_one() -> None:
    store(rule(sql=METRIC))
    for number, value in enumerate([1, 5, None, 8, 20]):
        set_metric(value)
        tick(number)
    body = last_content()["json"]
    assert body["worst"][0]["recent_values"] == [1, 5, None, 8, 20]


def test_each_key_has_its_own_values() -> None:
    sql = f"select team, value from ({METRIC}) as m cross join (values ('a'), ('b')) as t (team)"
    store(rule(sql=sql, key_columns=["team"], value="value"))
    for number, value in enumerate([1, 5, 20]):
        set_metric(value)
        tick(number)
    assert [each["recent_values"] for each in last_content()["json"]["worst"]] == [[1, 5, 20]] * 2


def test_at_most_thirty_values_are_shown() -> None:
    store(rule(sql=METRIC))
    set_metric(1)
    for number in range(40):
        tick(number)
    set_metric(20)
    tick(40)
    assert last_content()["json"]["worst"][0]["recent_values"] == [1] * 29 + [20]


def test_infinity_in_the_history_is_drawn() -> None:
    store(rule(sql="select 'infinity'::float8 as value", repeat_every="2m"))
    for number in range(2):
        assert tick(number).errors == 0
    assert last_content()["json"]["worst"][0]["recent_values"] == ["inf", "inf"]


def test_a_rule_that_is_added_again_with_other_sql_has_no_values_of_the_old_one():
    for number in range(3):
        store(rule("r", "select 5 as value", threshold=10))
        tick(number)
    store(rule("other"))
    store(rule("r", "select 40 as value"), rule("other"))
    tick(4)
    contents = query("select content::text from ops.messages")
    bodies = [json.loads(each)["json"] for each in contents]
    (body,) = [each for each in bodies if each["rule"] == "r"]
    assert body["worst"][0]["recent_values"] == []
