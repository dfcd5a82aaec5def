"""The period that a rule reads, and the values that its SQL may use by name."""

from datetime import UTC, datetime
from typing import Any

import pytest

from flows.alerts.rules.payloads import parse_alert
from flows.alerts.rules.periods import rule_period, sql_values
from flows.alerts.rules.validation import find_problems
from tests.support.alert_run import rule

BERLIN = {"timezone": "Europe/Berlin"}
SQL = "select count(*) from t where at >= :period_start and at < :period_end"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "slot", "start", "end"),
    [
        ("hour", "2027-01-15T08:10", "2027-01-15T07:00", "2027-01-15T08:00"),
        ("hour", "2027-01-15T08:00", "2027-01-15T07:00", "2027-01-15T08:00"),
        ("hour", "2027-10-31T01:30", "2027-10-31T00:00", "2027-10-31T01:00"),  # shown twice
        ("day", "2027-01-15T08:10", "2027-01-13T23:00", "2027-01-14T23:00"),
        ("day", "2027-03-29T08:00", "2027-03-27T23:00", "2027-03-28T22:00"),  # of 23 hours
        ("day", "2027-01-15T23:10", "2027-01-14T23:00", "2027-01-15T23:00"),
        ("week", "2027-01-15T08:00", "2027-01-03T23:00", "2027-01-10T23:00"),
        ("month", "2027-01-15T08:00", "2026-11-30T23:00", "2026-12-31T23:00"),
        ("quarter", "2027-01-15T08:00", "2026-09-30T22:00", "2026-12-31T23:00"),
    ],
)
def test_it_is_the_last_one_that_is_over(period: str, slot: str, start: str, end: str):
    found = rule_period(rule(period=period, sql=SQL, **BERLIN), utc(slot))
    assert found == (utc(start), utc(end))


def test_the_values_are_texts_in_the_time_zone_of_the_rule():
    now, slot = utc("2027-01-15T08:10"), utc("2027-01-15T08:00")
    values = sql_values(rule(period="day", sql=SQL, **BERLIN), now, slot)
    assert values == {
        "now": now,
        "period_start": "2027-01-14 00:00:00+01:00",
        "period_end": "2027-01-15 00:00:00+01:00",
    }
    assert sql_values(rule(), now) == {"now": now}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"period": "day"}, "the SQL uses neither :period_start nor :period_end; use them, or remove period"),
        ({"sql": SQL}, "the SQL uses :period_end; add period: day (or hour, week, month, quarter)"),
        ({"sql": SQL.replace("_start", "_strat"), "period": "day"}, "the SQL uses :period_strat; did you mean 'period_start'?; add it to parameters"),
        ({"sql": SQL, "period": "day", "parameters": {"period_end": 1}}, "'period_end' is the period of the rule; give the parameter another name"),
        ({"include_partial": True}, "include_partial needs period: day (hour, week, month, quarter)"),
    ],
)  # fmt: skip
def test_mistakes_name_the_fix(fields: dict[str, Any], problem: str):
    assert problem in [text for _, text in find_problems(rule(**fields))]


def test_parameters_of_these_names_are_those_of_a_rule_without_a_period():
    own = rule(sql=SQL, parameters={"period_start": "2027-01-01", "period_end": "2027-01-02"})
    assert find_problems(own) == []
    assert sql_values(own, utc("2027-01-15T08:00"))["period_start"] == "2027-01-01"


def test_the_rule_of_an_event_has_no_period():
    data = {"id": 1, "query": "select 1", "operator": ">", "threshold": 1, "period": "day"}
    assert parse_alert(data)[1].period is None
