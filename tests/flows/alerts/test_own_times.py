"""Rules that are due at times of their own, as runs claim and evaluate them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics_worker.calendars import working_days
from flows.alerts.evaluation.runner import evaluate_due
from tests.flows.alerts.rules import deliveries, incident_rules, last_content, rule, store
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("environment")

DAY = datetime(2040, 7, 2, tzinfo=UTC)
"""A Monday after all clocks of the tests."""


def run_at(hours: float) -> int:
    return evaluate_due(["alert"], now=DAY + timedelta(hours=hours)).evaluated


def stored_slots() -> list[datetime]:
    return query("select slot from ops.alert_evaluations order by slot")


def test_a_rule_is_evaluated_once_at_its_time() -> None:
    store(rule(at="09:00", timezone="Europe/Berlin"))
    execute("update ops.alert_rules set evaluated_slot = :day", day=DAY)
    assert [run_at(hours) for hours in (6.9, 7, 7.03, 12, 30.9, 31)] == [0, 1, 0, 0, 0, 1]
    assert stored_slots() == [DAY + timedelta(hours=7), DAY + timedelta(hours=31)]
    assert last_content()["json"]["missed_at"] is None


def test_missed_times_are_evaluated_once_and_the_message_says_so() -> None:
    store(rule(at="09:00", timezone="Europe/Berlin"))
    execute("update ops.alert_rules set evaluated_slot = :day", day=DAY)
    assert [run_at(24 * 3 + 11), run_at(24 * 3 + 11.1)] == [1, 0]
    content = last_content()
    note = "Evaluated late: the rule was due at 2040-07-05 09:00:00 CEST (Europe/Berlin)"
    assert note in content["text"]
    assert content["json"]["missed_at"] == "2040-07-05T07:00:00+00:00"


def test_new_and_changed_times_apply_from_then_on() -> None:
    store(rule(at="09:00"), rule("other"))
    assert evaluate_due(["alert"]).evaluated == 1
    execute("update ops.alert_rules set evaluated_slot = :day where name = 'r'", day=DAY)
    store(rule(at="09:00", threshold=5), rule("other"))
    assert query("select evaluated_slot from ops.alert_rules where name = 'r'") == [DAY]
    store(rule(at="10:00"), rule("other"))
    (slot,) = query("select evaluated_slot from ops.alert_rules where name = 'r'")
    assert slot < DAY
    store(rule(), rule("other"))
    assert run_at(0) == 2


def test_a_rule_with_a_calendar_is_evaluated_on_working_days_only() -> None:
    store(rule(calendar="working_days"))
    assert [run_at(hours) for hours in (-1, 0, 0.1, 24)] == [0, 1, 1, 1]


def test_an_invalid_calendar_is_the_failure_of_its_rules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store(rule("working", calendar="working_days"), rule("healthy", channels=["slack"]))
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "calendar.yml").write_text("holidays: [never]")
    monkeypatch.setattr(working_days, "project_root", lambda: tmp_path)
    assert run_at(0) == 2
    assert (deliveries(), incident_rules()) == ([("firing", "slack")], ["working"])
    (error,) = query("select error from ops.alert_rules where name = 'working'")
    assert "the calendar is not valid" in error
    assert "calendar.yml:1" in error


@pytest.mark.parametrize(
    ("fields", "kinds"),
    [
        ({"at": "09:00", "weekdays": "last_working"}, []),
        ({"calendar": "working_days"}, []),
        ({"cron": "0 9 * * *", "weekdays": "working", "on_error": "alert"}, ["firing", "resolved"]),
    ],
)
def test_a_repaired_calendar_ends_the_error_in_the_next_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fields: dict[str, Any], kinds: list[str]
) -> None:
    store(rule(sql="select 1 as value", **fields))
    execute("update ops.alert_rules set evaluated_slot = :day", day=DAY + timedelta(days=4))
    (tmp_path / "definitions").mkdir()
    calendar = tmp_path / "definitions" / "calendar.yml"
    monkeypatch.setattr(working_days, "project_root", lambda: tmp_path)
    calendar.write_text("holidays: [never]")
    saturday = 5 * 24 + 10
    assert [run_at(saturday), run_at(saturday + 0.1)] == [1, 1]
    assert incident_rules() == ([] if kinds else ["r"])
    calendar.write_text("holidays: []")
    assert [run_at(saturday + hours) for hours in (0.1, 0.2, 0.3, 1)] == [0, 1, 0, 0]
    assert ([kind for kind, _ in deliveries()], incident_rules()) == (kinds, [])
    assert query("select status from ops.alert_status") == ["ok"]


def test_a_baseline_is_of_the_same_day_of_the_week_at_the_same_time() -> None:
    store(
        rule(
            sql="select extract(day from cast(:now as timestamptz)) as value",
            measure="change",
            compare_to="7d",
            at="09:00",
            weekdays="working",
            operator="<",
            threshold=100,
        )
    )
    execute("update ops.alert_rules set evaluated_slot = :day", day=DAY)
    assert [run_at(9 + 24 * day) for day in range(8)] == [1, 1, 1, 1, 1, 0, 0, 1]
    assert last_content()["json"]["value"] == 7
