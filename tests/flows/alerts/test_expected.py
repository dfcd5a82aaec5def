"""Rules that compare with what is expected, from recorded samples on a real database."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics_worker.calendars import working_days
from flows.alerts.evaluation.runner import EvaluationCounts, evaluate_due
from flows.alerts.rules.model import Rule
from tests.flows.alerts.rules import METRIC, deliveries, last_content, set_metric, store
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("environment")

MONDAY = datetime(2040, 7, 2, 7, tzinfo=UTC)
"""A Monday at 09:00 in Berlin, after all clocks of the tests."""
DAY = timedelta(days=1)
WEEK = [2100, 2200, 2150, 2000, 1900, 800, 700]
NOISE = [0, 30, -20, 40, -50, 10, -10, 20, -30]


def expecting(name: str = "r", sql: str = METRIC, **fields: Any) -> Rule:
    content = {
        "expected": {},
        "every": "1h",
        "timezone": "Europe/Berlin",
        "channels": ["webhook"],
        "owner": "owner@example.com",
    }
    return Rule.model_validate({"name": name, "sql": sql, **content, **fields})


def record(days: int, value: Any = None, end: datetime = MONDAY, name: str = "r") -> None:
    """Record an evaluation at the same time of each of the earlier days."""
    for number in range(days, 0, -1):
        at = end - number * DAY
        found = value(at) if value else usual(at)
        is_keyed = isinstance(found, dict)
        execute(
            "insert into ops.alert_evaluations"
            " (rule_id, slot, evaluated_at, status, reading, readings, keys, firing, attempts, sql_hash)"
            " select id, :at, :at, 'ok', cast(:sample as numeric), cast(:samples as jsonb), 1, 0, 1,"
            " encode(sha256(convert_to(definition ->> 'sql', 'UTF8')), 'hex')"
            " from ops.alert_rules where name = :name",
            at=at,
            sample=None if is_keyed else found,
            samples=json.dumps(found) if is_keyed else None,
            name=name,
        )


def usual(at: datetime) -> int:
    return WEEK[at.weekday()] + NOISE[at.timetuple().tm_yday % len(NOISE)]


def evaluate(at: datetime = MONDAY) -> EvaluationCounts:
    return evaluate_due(["alert"], now=at)


def statuses() -> list[str]:
    return query("select status from ops.alert_states order by rule_id, key")


def test_a_value_outside_the_range_fires_and_the_message_says_what_is_expected() -> None:
    store(expecting())
    record(60)
    set_metric(1204)
    assert evaluate().firing == 1
    content = last_content()
    expected = content["json"]["expected"]
    assert expected["text"].endswith("for Mondays at 09:00")
    assert 1700 < expected["low"] < 2100 < expected["high"] < 2500
    low, high = f"{expected['low']:,.0f}", f"{expected['high']:,.0f}"
    text = f"expected {low} to {high} for Mondays at 09:00"
    assert content["subject"] == f"[CRITICAL] r: 1,204 ({text})"
    assert f"Condition: {text}\n" in content["text"]
    assert content["json"]["worst"][0]["expected"]["samples"] == 8
    set_metric(2090)
    evaluate(MONDAY + timedelta(hours=1))
    assert statuses() == ["ok"]


def test_what_is_usual_on_a_sunday_is_low_on_a_monday() -> None:
    store(expecting())
    record(59, end=MONDAY - DAY)
    set_metric(700)
    evaluate(MONDAY - DAY)
    assert statuses() == ["ok"]
    evaluate(MONDAY)
    assert statuses() == ["firing"]


@pytest.mark.parametrize(
    ("operator", "low", "high"), [("<", "firing", "ok"), (">", "ok", "firing")]
)
def test_the_operator_says_which_direction_counts(operator: str, low: str, high: str) -> None:
    store(
        expecting("low", "select 1204 as value", operator=operator),
        expecting("high", "select 9000 as value", operator=operator),
    )
    for name in ("low", "high"):
        record(60, name=name)
    evaluate()
    assert statuses() == [low, high]
    word = {"<": "at least", ">": "at most"}[operator]
    assert f"(expected {word} " in last_content()["subject"]


def test_a_severity_of_its_own_for_each_sensitivity() -> None:
    store(
        expecting("mild", "select 1800 as value", expected={"sensitivity": {"warning": 3, "critical": 60}}),
        expecting("far", "select 90000 as value", expected={"sensitivity": {"warning": 3, "critical": 60}}),
    )  # fmt: skip
    record(60, name="mild")
    record(60, name="far")
    evaluate()
    assert query("select severity from ops.alert_states order by rule_id") == [
        "warning",
        "critical",
    ]


def test_it_only_watches_while_it_learns() -> None:
    store(expecting())
    record(14)
    set_metric(10**9)
    evaluate()
    assert statuses() == ["ok"]
    assert deliveries() == []
    assert query("select reading::int from ops.alert_evaluations order by slot desc limit 1") == [
        10**9
    ]


def test_the_smallest_deviation_that_counts() -> None:
    store(expecting(expected={"floor": 5}), expecting("strict"))
    for name in ("r", "strict"):
        record(60, lambda _: 100, name=name)
    set_metric(104)
    evaluate()
    assert statuses() == ["ok", "firing"]
    assert "(expected 100 at 09:00)" in last_content()["subject"]


KEYED = "select * from (values {}) as t (team, value)"


def test_one_odd_key_does_not_disturb_another() -> None:
    odd = KEYED.format(
        "('usual', 2090::numeric), ('low', 5), ('inf', 'infinity'), ('new', 7), ('huge', 1e300)"
    )
    store(expecting(sql=odd, key_columns=["team"], value="value"))

    def samples(at: datetime) -> dict[str, Any]:
        value = usual(at)
        odd_value = [None, "inf", str(10**300), -5][at.day % 4]
        return {'["usual"]': value, '["low"]': value, '["inf"]': odd_value, '["huge"]': f"{value}e300"}  # fmt: skip

    record(60, samples)
    evaluate()
    states = dict(zip(query("select key from ops.alert_states order by key"), query("select status from ops.alert_states order by key"), strict=True))  # fmt: skip
    assert states['["usual"]'] == states['["new"]'] == "ok"
    assert states['["low"]'] == states['["inf"]'] == states['["huge"]'] == "firing"
    assert query("select error from ops.alert_rules") == [None]
    assert "the expected range" in last_content()["text"]
    assert "- low: 5, expected " in last_content()["text"]


def test_values_of_another_sql_are_no_baseline() -> None:
    store(expecting())
    record(60)
    store(expecting(sql=f"{METRIC} where value > 0"))
    set_metric(1)
    evaluate()
    assert statuses() == ["ok"]


def test_errors_and_missing_samples_are_left_out() -> None:
    store(expecting())
    record(60, lambda at: None if at.day % 3 == 0 else usual(at))
    execute("update ops.alert_evaluations set status = 'error', reading = 5 where reading is null")
    set_metric(2090)
    evaluate()
    assert statuses() == ["ok"]


def test_clock_changes_do_not_move_the_baseline() -> None:
    """The clock of Berlin was put back on 28 October 2040: 09:00 was 07:00 UTC before, and 08:00 after."""
    store(expecting(every="30m"))
    autumn = datetime(2040, 11, 5, 8, tzinfo=UTC)

    def local(at: datetime) -> datetime:
        return at - timedelta(hours=1) if at < datetime(2040, 10, 28, tzinfo=UTC) else at

    for number in range(60, 0, -1):
        at = local(autumn - number * DAY)
        record(1, usual, end=at + DAY)
        record(1, lambda _: 5, end=at + DAY + timedelta(minutes=30))
    set_metric(2090)
    evaluate(autumn)
    assert statuses() == ["ok"]


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of the calendar."""
    (tmp_path / "definitions").mkdir()
    monkeypatch.setattr(working_days, "project_root", lambda: tmp_path)
    return tmp_path / "definitions" / "calendar.yml"


def test_a_holiday_is_compared_with_days_off(calendar: Path) -> None:
    calendar.write_text("holidays: [2040-07-02]")
    store(expecting())
    record(60)
    set_metric(750)
    evaluate()
    assert statuses() == ["ok"]
    calendar.write_text("holidays: []")
    evaluate(MONDAY + 7 * DAY)
    assert statuses() == ["firing"]


def test_an_invalid_calendar_is_the_failure_of_the_rule_only(calendar: Path) -> None:
    calendar.write_text("holidays: [never]")
    store(expecting(), Rule.model_validate({"name": "other", "sql": "select 1", "operator": ">", "threshold": 0}))  # fmt: skip
    set_metric(1)
    assert evaluate().errors == 1
    (error,) = query("select error from ops.alert_rules where name = 'r'")
    assert "the calendar is not valid" in error
    assert query("select status from ops.alert_status where name = 'other'") == ["firing"]
