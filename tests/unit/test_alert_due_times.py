"""When rules are due at times of their own, and what their baselines are."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics_worker.calendars import working_days
from flows.alerts.rules.payloads import parse_alert
from flows.alerts.rules.times import baseline_time, due_slot
from flows.alerts.rules.validation import find_problems
from tests.support.alert_run import Run, rule

BERLIN = {"timezone": "Europe/Berlin"}
NINE: dict[str, Any] = {"at": "09:00", **BERLIN}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def calendar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of an empty calendar that is read."""
    monkeypatch.setattr(working_days, "project_root", lambda: tmp_path)
    (tmp_path / "definitions").mkdir()
    return tmp_path / "definitions" / "calendar.yml"


@pytest.mark.parametrize(
    ("fields", "now", "due"),
    [
        (NINE, "2027-01-15T08:00", "2027-01-15T08:00"),
        (NINE, "2027-01-15T07:59", "2027-01-14T08:00"),
        (NINE, "2027-07-15T07:00", "2027-07-15T07:00"),
        ({"at": "02:30", **BERLIN}, "2027-03-28T01:00", "2027-03-28T01:00"),  # skipped: at 03:00
        ({"at": "02:30", **BERLIN}, "2027-10-31T02:00", "2027-10-31T00:30"),  # shown twice
        ({"at": "02:30", "timezone": "Australia/Sydney"}, "2027-10-02T17:00", "2027-10-02T16:00"),
        ({**NINE, "weekdays": "mon-fri"}, "2027-01-17T12:00", "2027-01-15T08:00"),
        ({"at": ["09:00", "17:00"], **BERLIN}, "2027-01-15T17:00", "2027-01-15T16:00"),
        ({"cron": "0 8 1 1,4,7,10 *"}, "2027-05-15T08:00", "2027-04-01T08:00"),
    ],
)
def test_a_rule_is_due_at_its_local_time(fields, now, due):
    assert due_slot(rule(**fields), utc(now), utc(now)) == utc(due)


def test_a_calendar_leaves_holidays_out(calendar):
    calendar.write_text('holidays: ["01-15"]\n')
    now = utc("2027-01-15T12:00")
    assert due_slot(rule(**NINE, calendar="working_days"), now, now) == utc("2027-01-14T08:00")
    assert due_slot(rule(calendar="working_days"), now, now) is None
    day_before = now - timedelta(days=1)
    assert due_slot(rule(calendar="working_days"), day_before, day_before) == day_before


CHANGE = {"measure": "change", **BERLIN}


@pytest.mark.parametrize(
    ("fields", "slot", "baseline"),
    [
        ({"compare_to": "1h"}, "2027-03-29T07:00", "2027-03-29T06:00"),
        ({"compare_to": "1d"}, "2027-03-28T07:00", "2027-03-27T08:00"),  # 09:00 is 23 hours apart
        ({"compare_to": "7d"}, "2027-11-01T08:00", "2027-10-25T07:00"),  # 169 hours
        ({"compare_to": "1d", "calendar": "working_days"}, "2027-01-18T08:00", "2027-01-14T08:00"),
        ({"compare_to": "7d", "calendar": "working_days"}, "2027-01-22T08:00", "2027-01-08T08:00"),
        ({**NINE, "compare_to": "7d", "weekdays": "working"}, "2027-01-22T08:00", "2027-01-08T08:00"),
        ({"compare_to": "7d"}, "2027-01-22T08:00", "2027-01-15T08:00"),
    ],
)  # fmt: skip
def test_baselines_are_of_the_same_local_time_and_of_working_days(calendar, fields, slot, baseline):
    calendar.write_text("holidays: [2027-01-15]\n")  # a Friday
    assert baseline_time(rule(**{**CHANGE, **fields}), utc(slot)) == utc(baseline)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"at": "09:00", "cron": "0 9 * * *"}, "cron and at exclude each other"),
        ({"weekdays": "working"}, "weekdays needs a time; expected at or cron, too"),
        ({"cron": "0 9 * * 1", "weekdays": "mon"}, "names days, too"),
        ({"at": "09:00", "weekdays": "mon", "calendar": "working_days"}, "exclude each other"),
        ({"at": "09:00", "weekdays": "working"}, None),
    ],
)
def test_contradictions_of_times_are_named(fields, problem):
    texts = [text for _, text in find_problems(rule(**fields))]
    assert bool(texts) == bool(problem)
    assert problem is None or problem in texts[0]


def test_an_invalid_calendar_is_named(calendar):
    calendar.write_text("holidays: [never]\n")
    ((field, text),) = find_problems(rule(calendar="working_days"))
    assert field == "calendar"
    assert "calendar.yml:1" in text


def test_a_daily_rule_is_repeated_each_day_across_clock_changes():
    run = Run(rule(**NINE, repeat_every="1d"))
    assert run.evaluate(11) == ["firing"]
    first = run.states[""].notified_at
    assert first is not None
    run.tick += (23 * 60 // 2) - 1
    assert run.evaluate(11) == ["still_firing"]


def test_a_daily_rule_without_data_reports_it_when_it_is_due():
    run = Run(rule(**NINE, owner="ann@example.com"))
    run.evaluate(11)
    assert run.evaluate(None) == ["no_data"]


def test_alerts_of_events_have_no_times():
    data = {"id": "a", "query": "select 1", "operator": ">", "threshold": 1, "at": "09:00"}
    assert parse_alert(data)[1].at == []
