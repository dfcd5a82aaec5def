"""Reports with times of their own: due in their time zone, once for each time, independently of others."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics_worker.calendars import schedules
from flows.reports import generate_due_reports, generate_scheduled_reports
from flows.reports.definitions.model import Report
from flows.reports.scheduling.planner import plan_due_runs
from tests.flows.reports.reports import ANN, OWNER, attachment, body, report, runs, store_reports
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")


def own(name: str = "sales", **fields: object) -> Report:
    every: dict[str, Any] = {"schedule": "manual", **fields}
    return report(name, **every)


def store_since(since: str, *reports: Report) -> None:
    """Store reports as if that had been at a time."""
    store_reports(*reports)
    execute(
        "update ops.report_definitions set created_at = cast(:since as timestamptz), due_until = null",
        since=since,
    )


def periods() -> Sequence[str]:
    return query("select period from ops.report_runs order by id")


def spans() -> Sequence[timedelta]:
    return query("select period_end - period_start from ops.report_runs order by id")


def plan(now: str) -> Sequence[str]:
    """Plan at a time; return the periods that were requested for the first time."""
    before = len(periods())
    plan_due_runs(datetime.fromisoformat(now))
    return periods()[before:]


def test_report_is_generated_at_its_time_in_its_time_zone():
    store_since("2026-11-23T12:00Z", own(at="07:30", timezone="Europe/Berlin"))
    assert plan("2026-11-24T06:29:59Z") == []
    assert plan("2026-11-24T06:30Z") == ["2026-11-24T07:30+01:00"]
    assert plan("2026-11-24T06:35Z") == []
    assert plan("2026-11-25T06:33Z") == ["2026-11-25T07:30+01:00"]
    assert spans() == [timedelta(days=1)] * 2


def test_working_days_cover_the_weekend():
    days = {"at": "07:30", "weekdays": "working", "timezone": "Europe/Berlin"}
    store_since("2026-11-27T00:00Z", own(**days))
    assert [day for n in range(27, 31) for day in plan(f"2026-11-{n}T12:00Z")] == [
        "2026-11-27T07:30+01:00",
        "2026-11-30T07:30+01:00",
    ]
    assert spans() == [timedelta(days=1), timedelta(days=3)]


@pytest.mark.parametrize(
    ("zone", "since", "until", "count"),
    [
        ("Europe/Berlin", "2026-03-28T23:00Z", "2026-03-29T22:00Z", 23),
        ("Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T23:00Z", 25),
        ("America/Sao_Paulo", "2018-11-04T03:00Z", "2018-11-05T02:00Z", 23),
        ("America/Sao_Paulo", "2019-02-16T02:00Z", "2019-02-17T03:00Z", 25),
    ],
)
def test_hourly_report_has_no_gap_and_no_overlap_when_clocks_change(zone, since, until, count):
    store_since(since, own(cron="0 * * * *", timezone=zone, catch_up=31))
    assert len(plan(until)) == count
    rows = query("select period_start, period_end from ops.report_runs order by period_end")
    assert all(end - start == timedelta(hours=1) for start, end in rows)
    assert [end for _, end in rows[:-1]] == [start for start, _ in rows[1:]]


def test_half_hour_change_of_lord_howe():
    store_since("2026-04-03T00:00Z", own(at="01:45", timezone="Australia/Lord_Howe"))
    assert plan("2026-04-06T00:00Z") == [
        "2026-04-04T01:45+11:00", "2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30",
    ]  # fmt: skip
    assert spans()[-1] == timedelta(hours=24, minutes=30)


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"at": "07:30", "period": "day"}, "2026-09-30"),
        ({"at": "07:30", "schedule": "daily"}, "2026-09-30"),
        ({"at": "07:30", "weekdays": ["thu"], "period": "week"}, "2026-W39"),
        ({"at": "07:30", "schedule": "monthly"}, "2026-09"),
        ({"at": "07:30", "schedule": "monthly", "weekdays": "first_working"}, "2026-09"),
        ({"cron": "0 8 1 1,4,7,10 *", "period": "quarter"}, "2026-Q3"),
        ({"cron": "0 8 1 1,4,7,10 *"}, "2026-10-01T08:00+02:00"),
    ],
)
def test_period_of_a_report_with_times_of_its_own(fields, label):
    store_since("2026-09-30T12:00Z", own(timezone="Europe/Berlin", **fields))
    assert plan("2026-10-01T12:00Z") == [label]
    assert plan("2026-10-01T12:05Z") == []


def test_weekly_report_with_a_time_is_due_on_monday():
    store_since("2026-11-20T00:00Z", own(schedule="weekly", at="07:30"))
    assert plan("2026-11-22T12:00Z") == []
    assert plan("2026-11-23T07:30Z") == ["2026-W47"]


@pytest.mark.parametrize(
    ("schedule", "now", "label"),
    [
        ("daily", "2026-11-25T17:00Z", "2026-11-25"),
        ("weekly", "2026-11-22T19:00Z", "2026-W47"),
        ("monthly", "2026-11-30T19:00Z", "2026-11"),
    ],
)
def test_time_zone_moves_the_sending_of_a_schedule(schedule, now, label):
    store_since(
        "2026-11-20T00:00Z", report(schedule=schedule, timezone="Pacific/Auckland", catch_up=0)
    )
    just_before = datetime.fromisoformat(now) - timedelta(seconds=1)
    assert label not in plan(just_before.isoformat())
    assert plan(now) == [label]
    assert generate_scheduled_reports(schedule)["summary"]["failed"] == 0
    assert periods().count(label) == 1


def test_each_flow_generates_its_own_reports(smtp_sink):
    at = f"{datetime.now(UTC) - timedelta(minutes=1):%H:%M}"
    long_ago = f"{datetime.now(UTC) - timedelta(hours=23):%Y-%m-%dT%H:%M}Z"
    store_since(
        long_ago,
        report("daily"),
        own("manual"),
        own("own", at=at),
        own("off", at=at, enabled=False),
    )
    assert generate_due_reports()["message"] == "1 report generated; 1 message sent"
    assert runs() == [("own", "", "ready")]
    assert generate_scheduled_reports()["summary"]["made"] == 1
    assert generate_due_reports()["summary"]["made"] == 0
    assert runs() == [("own", "", "ready"), ("daily", "", "ready")]
    assert len(smtp_sink.messages) == 2


def test_subject_file_and_sql_have_the_interval(smtp_sink):
    store_since("2026-11-24T00:00Z", own(
        cron="0 */6 * * *", timezone="Europe/Berlin", catch_up=0,
        sql="select cast(:period_start as timestamptz) as a, cast(:period_end as timestamptz) as b",
        tiles=[{"title": "Hour", "sql": "select extract(hour from cast(:period_start as timestamptz))"}],
    ))  # fmt: skip
    plan("2026-11-24T05:00Z")
    execute("update ops.report_definitions set due_until = now()")
    generate_due_reports()
    (received,) = smtp_sink.messages
    assert str(received.mail["Subject"]) == "sales – 24 November 2026, 00:00 – 06:00"
    (part,) = received.mail.iter_attachments()
    assert part.get_filename() == "sales-2026-11-24-0600.csv"
    lines = attachment(received).decode().split("\n")
    assert lines[1] == "2026-11-24 00:00:00+01,2026-11-24 06:00:00+01"
    (tile,) = [line for line in body(received).splitlines() if line.startswith("Hour: 0")]
    assert "18" in tile, "the hour of the previous interval"


def test_new_report_is_due_from_now_on():
    store_reports(own(cron="* * * * *"))
    (since,) = query("select created_at from ops.report_definitions")
    plan_due_runs(since)
    assert runs() == []
    plan_due_runs(since + timedelta(minutes=1))
    assert len(runs()) == 1


def test_changed_times_are_due_from_now_on():
    store_since("2026-11-24T00:00Z", own(at="06:00"))
    execute("update ops.report_definitions set due_until = '2026-11-24 06:00Z'")
    store_reports(own(at="06:00", title="Same times"))
    assert query("select due_until = '2026-11-24 06:00Z' from ops.report_definitions") == [True]
    store_reports(own(at="07:00", title="Same times"))
    assert query("select due_until > now() - interval '1 minute' from ops.report_definitions") == [
        True
    ]


def test_missed_times_are_caught_up_within_the_limit():
    store_since("2026-11-24T00:30Z", own(cron="0 * * * *", catch_up=2))
    assert [label[11:16] for label in plan("2026-11-24T12:10Z")] == ["10:00", "11:00", "12:00"]


def test_failed_report_is_retried_at_its_next_time_and_affects_no_other(smtp_sink):
    store_since("2026-11-24T00:00Z", own("bad", sql="select nope", cron="0 * * * *", catch_up=0),
                own("fine", cron="0 * * * *", catch_up=0))  # fmt: skip
    plan("2026-11-24T01:10Z")
    execute("update ops.report_definitions set due_until = now()")
    state = generate_due_reports(return_state=True)
    assert state.name == "Partial"
    assert generate_due_reports()["summary"] == {
        "made": 0,
        "skipped": 0,
        "waiting": 0,
        "held": 0,
        "failed": 0,
    }
    assert query("select attempts from ops.report_runs where report = 'bad'") == [1]
    store_reports(
        own("bad", cron="0 * * * *", catch_up=0), own("fine", cron="0 * * * *", catch_up=0)
    )
    execute("update ops.report_definitions set due_until = now() - interval '1 hour'")
    assert generate_due_reports()["summary"]["made"] == 3
    assert {each.recipients[0] for each in smtp_sink.messages} == {ANN, OWNER}


def test_invalid_calendar_affects_only_reports_on_working_days(monkeypatch, tmp_path):
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "calendar.yml").write_text("holidays: [soon]")
    store_since("2026-11-24T00:00Z", own("a", at="07:30", weekdays="working"), own("b", at="07:30"))
    load = schedules.load_working_days
    monkeypatch.setattr(schedules, "load_working_days", lambda: load(tmp_path / "definitions"))
    planned = plan_due_runs(datetime(2026, 11, 24, 12, tzinfo=UTC))
    assert [name for name, _, _ in runs()] == ["b"]
    assert "calendar.yml:1: holidays.0: 'soon' is not valid" in planned.invalid["a"]


def test_report_waits_for_its_data():
    at = f"{datetime.now(UTC) - timedelta(minutes=1):%H:%M}"
    long_ago = f"{datetime.now(UTC) - timedelta(hours=23):%Y-%m-%dT%H:%M}Z"
    store_since(long_ago, own(at=at, after={"dbt": "run", "latest": "23:59"}))
    assert generate_due_reports()["summary"]["waiting"] == 1
    assert runs() == []
    execute(
        "insert into ops.dbt_runs (command, started_at, status) values ('dbt run', now(), 'success')"
    )
    assert generate_due_reports()["summary"]["made"] == 1
