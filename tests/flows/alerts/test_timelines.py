"""Timelines on the database cause the notifications that they cause without one.

``.`` is ok, ``w`` warning, ``c`` critical, ``n`` no data, ``e`` an error.
"""

import pytest

from flows.alerts.evaluation.observation import Failure
from tests.flows.alerts.rules import (
    METRIC,
    execute,
    last_content,
    query,
    rule,
    set_metric,
    store,
    store_events,
    tick,
    watch,
)
from tests.support.alert_run import Run

pytestmark = pytest.mark.usefixtures("environment")

VALUES = {".": 9.0, "w": 11.0, "c": 25.0, "n": None}
KINDS = (
    "select extract(epoch from created_at - timestamptz '2026-03-01T12:00:00Z')::int / 120, kind"
    " from ops.alert_events order by id"
)


def evaluate_tick(number: int, letter: str) -> None:
    """Let the metric be what the letter says; its table is missing for an error."""
    if letter == "e":
        execute("drop table if exists analytics.metric")
    else:
        set_metric(VALUES[letter])
    watch()
    tick(number)


@pytest.mark.parametrize(
    ("fields", "ticks"),
    [
        ({"no_data_after": "4m", "repeat_every": "6m"}, "c w c n n n c . e e e e e . n n n n n n . c e e e e ."),
        ({"keep_firing_for": "4m", "flapping_after": 3}, "c . w . . . w . . . w w c . . . . w c"),
        ({"flapping_after": 3}, "w . w . w c . w . w c c c"),
        ({"for": "4m", "on_empty": "keep_last", "on_error": "keep_last"}, "w n w e . w e e n ."),
        ({"on_empty": "alert", "on_error": "alert"}, ". n . e e . n"),
    ],
)  # fmt: skip
def test_a_timeline_on_the_database(fields, ticks):
    of = rule(sql=METRIC, threshold=None, warning=10, critical=20, **fields)
    store_events(of)
    run = Run(of)
    expected: list[tuple[int, str]] = []
    for number, letter in enumerate(ticks.split()):
        evaluate_tick(number, letter)
        expected += [
            (number, kind)
            for kind in run.evaluate(Failure("x") if letter == "e" else VALUES[letter])
        ]
    assert query(KINDS) == expected
    assert len({kind for _, kind in expected}) > 1


def test_keys_that_are_missing_have_the_same_timeline_on_the_database():
    store(rule(sql="select 'a' as k, count(*) as value from analytics.metric where value > 0 having count(*) > 0", key_columns=["k"], value="value", threshold=0))  # fmt: skip
    for number, letter in enumerate("c . c n".replace(" ", "")):
        set_metric({"c": 1.0}.get(letter, -1.0))
        tick(number)
    set_metric(-1.0)
    tick(4)
    assert query(KINDS) == [(0, "firing"), (4, "resolved")]


def test_while_the_sql_is_broken_repeats_say_of_when_the_value_is():
    store(rule(sql=METRIC, repeat_every="4m"))
    for number, letter in enumerate("cceee"):
        evaluate_tick(number, letter)
        repeated = query("select kind from ops.alert_events where kind = 'still_firing'")
        assert len(repeated) == (number >= 2) + (number >= 4)
    content = query(
        "select content::text from ops.messages where kind = 'still_firing' order by position"
    )[-1]
    assert "25 as of 2026-03-01 12:02:00 UTC" in content
    assert 'the SQL failed: relation \\"analytics.metric\\" does not exist' in content


@pytest.mark.parametrize(
    ("fields", "sql", "subject"),
    [
        ({"on_empty": "alert"}, "select 1 as value where false", "[CRITICAL] r: no rows"),
        ({"on_empty": "alert"}, "select null::int as value", "[CRITICAL] r: the value is NULL or NaN"),
        ({"on_error": "alert"}, "select nope", '[CRITICAL] r: the SQL failed: column "nope" does not exist (line 1 of the SQL)'),
    ],
)  # fmt: skip
def test_an_alert_without_a_value_says_why(fields, sql, subject):
    store(rule(sql=sql, **fields))
    tick(0)
    assert last_content()["subject"] == subject
