"""When promises are due, when they are expected, and which are refused: clock changes, holidays, few days."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from analytics_worker.calendars.promise import Promise
from analytics_worker.calendars.working_days import WorkingDays
from analytics_worker.completeness.trust_file import load_promises
from analytics_worker.definitions.yaml_definitions import DefinitionError
from flows.monitoring.promises.days import PromisedDay, promised_days
from flows.monitoring.promises.estimate import Arrival, Step, Usual, expected_at, usual_arrival
from flows.monitoring.promises.units import PromisedReport, PromisedUnit
from flows.reports.definitions.model import Report
from flows.reports.definitions.validation import problems

BERLIN = ZoneInfo("Europe/Berlin")
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
TUESDAY = date(2026, 11, 24)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def unit(by: str = "07:30", **schedule: object) -> PromisedUnit:
    promise = Promise.model_validate({"by": by})
    report = PromisedReport.model_validate({**schedule, "promise": promise}) if schedule else None
    return PromisedUnit("a", promise, "Europe/Berlin", schedule=report)


def days(promised: PromisedUnit, since: str, now: str) -> list[tuple[str, str, str]]:
    """Return day, due time and target of each promised day."""
    found = promised_days(promised, utc(since), utc(now))
    begun = [day for day in found if day.opens_at <= utc(now)]
    return [(str(d.day), f"{d.due_at:%d %H:%M}", f"{d.target:%d %H:%M}") for d in begun]


@pytest.mark.parametrize(
    ("by", "now", "expected"),
    [
        ("02:30", "2026-03-29 00:30", ("2026-03-29", "29 01:00", "28 23:00")),
        ("02:30", "2026-10-25 00:10", ("2026-10-25", "25 00:30", "24 22:00")),
        ("07:30", "2026-03-29 03:00", ("2026-03-29", "29 05:30", "28 23:00")),
        ("07:30", "2026-10-25 03:00", ("2026-10-25", "25 06:30", "24 22:00")),
        ("00:30", "2026-11-23 23:10", ("2026-11-24", "23 23:30", "23 23:00")),
    ],
)
def test_days_on_which_clocks_change(by: str, now: str, expected: tuple[str, str, str]):
    since = f"{utc(now) - 12 * timedelta(hours=1):%Y-%m-%d %H:%M}"
    assert days(unit(by), since, now)[-1] == expected


def test_only_days_that_began_and_were_due_since_it_is_stored():
    assert days(unit(), "2026-11-24 06:31", "2026-11-24 22:59") == []
    assert [day for day, _, _ in days(unit(), "2026-11-24 06:29", "2026-11-24 23:00")] == [
        "2026-11-24",
        "2026-11-25",
    ]
    assert len(days(unit(), "2026-01-01 00:00", "2026-11-24 23:00")) == 5


@pytest.mark.parametrize(
    ("schedule", "by", "expected"),
    [
        ({"schedule": "daily"}, "07:30", ["23 00:00", "24 00:00", "25 00:00"]),
        (
            {"schedule": "daily", "timezone": "Europe/Berlin"},
            "07:30",
            ["22 23:00", "23 23:00", "24 23:00"],
        ),
        ({"schedule": "weekly"}, "09:30", ["23 00:00"]),
        ({"at": ["09:00:00", "17:00:00"]}, "18:30", ["23 17:00", "24 17:00"]),
        ({"at": ["09:00:00", "17:00:00"], "period": "day"}, "18:30", ["23 00:00", "24 00:00"]),
        ({"cron": "0 6 1 * *", "period": "month"}, "07:30", []),
        ({"at": ["08:00:00"], "weekdays": ["wed"]}, "09:30", ["25 08:00"]),
    ],
)
def test_the_period_of_a_report_that_is_due(
    schedule: dict[str, object], by: str, expected: list[str]
):
    found = days(unit(by, **schedule), "2026-11-22 20:00", "2026-11-25 08:10")
    assert [target for _, _, target in found] == expected


def arrivals(times: str, *, before: date = TUESDAY, step: int = 1) -> list[Arrival]:
    """Return arrivals of the days before, the last one first."""
    found = list[Arrival]()
    for number, text in enumerate(times.split(), 1):
        day = before - number * step * DAY
        arrived = datetime.combine(day, time.fromisoformat(text), BERLIN)
        start = datetime.combine(day, time(), BERLIN)
        found.append(Arrival(day, start, arrived, arrived - 7 * MINUTE))
    return found


def usual(found: list[Arrival], day: date = TUESDAY, calendar: WorkingDays | None = None):
    known = usual_arrival(found, day, BERLIN, calendar or WorkingDays())
    return known and (known.offset, known.spread)


def test_the_median_and_the_spread_ignore_a_few_late_days():
    found = usual(arrivals("06:10 06:12 06:14 13:00 06:12 06:11 06:30"))
    assert found == (6 * timedelta(hours=1) + 12 * MINUTE, 5 * MINUTE)


def test_too_few_days_say_nothing():
    assert usual(arrivals("06:10 06:12 06:14 06:11")) is None


def test_the_same_day_of_the_week_counts_if_it_is_known():
    tuesdays = arrivals("08:00 08:00 08:00 08:00", step=7)
    found = usual(arrivals("06:00 06:00 06:00 06:00 06:00 06:00") + tuesdays)
    assert found
    assert found[0] == timedelta(hours=8)


def test_holidays_count_on_holidays_only():
    calendar = WorkingDays(own_holidays=frozenset({TUESDAY - DAY, TUESDAY - 4 * DAY}))
    found = arrivals("12:00 06:00 06:00 12:00 06:00 06:00 06:00")
    known = usual(found, calendar=calendar)
    assert known
    assert known[0] == timedelta(hours=6)
    assert usual(found[:6], calendar=calendar) is None


def test_clock_changes_do_not_move_the_usual_time():
    found = usual(arrivals("06:00 06:00 06:00 06:00 06:00", before=date(2026, 10, 27)))
    assert found
    assert found[0] == timedelta(hours=6)


USUAL = Usual(timedelta(hours=6), 10 * MINUTE, 7 * MINUTE)
DUE = PromisedDay(
    "a", TUESDAY, utc("2026-11-24 06:30"), utc("2026-11-23 23:00"), utc("2026-11-23 23:00")
)


@pytest.mark.parametrize(
    ("now", "step", "expected"),
    [
        ("04:00", Step(), "05:00"),
        ("05:40", Step(), "05:50"),
        ("06:25", Step(), "06:35"),
        ("09:00", Step(), "06:40"),
        ("04:00", Step(41 * MINUTE, is_dbt=True), "05:00"),
        ("06:00", Step(41 * MINUTE, is_dbt=True), "06:48"),
        ("06:00", Step(41 * MINUTE, utc("2026-11-24 05:05"), is_dbt=True), "06:07"),
        ("05:10", Step(41 * MINUTE, utc("2026-11-24 05:05"), is_dbt=True), "05:53"),
        ("05:10", Step(3 * MINUTE, utc("2026-11-24 05:05")), "05:10"),
    ],
)
def test_when_it_is_expected(now: str, step: Step, expected: str):
    found = expected_at(DUE, USUAL, step, utc(f"2026-11-24 {now}"), BERLIN)
    assert f"{found:%H:%M}" == expected


def test_promises_of_relations(tmp_path: Path):
    def load(text: str) -> list[tuple[str, str, str]]:
        (tmp_path / "trust.yml").write_text(text)
        found = load_promises(tmp_path)
        return [(each.schema, each.relation, each.timezone) for each in found]

    name = 'raw."Выручка {x} 100%"'
    assert load(f"timezone: Asia/Tokyo\npromise: {{'{name}': {{by: '00:30'}}}}") == [
        ("raw", "Выручка {x} 100%", "Asia/Tokyo")
    ]
    for text, problem in {
        "promise: {orders: {by: '07:30'}}": "is not a relation",
        "promise: {raw.a: {by: 17:30}}": "expected one in quotes",
        "promise: {raw.a: {by: '07:30:20'}}": "expected hours and minutes",
        "promise: {raw.a: {}}": "by",
        "promise: {raw.a: {by: '07:30', weekdays: never}}": "expected days such as",
        "promise:\n  raw.a: {by: '07:30'}\n  raw.\"a\": {by: '08:30'}": "appears twice",
    }.items():
        with pytest.raises(DefinitionError, match=problem):
            load(text)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"schedule": "daily"}, None),
        ({"schedule": "weekly", "promise": {"by": "09:00", "weekdays": "mon"}}, None),
        ({"schedule": "manual"}, "promise needs a time at which the report is due"),
        ({"schedule": "weekly", "promise": {"by": "09:00", "weekdays": "fri"}}, "is never due"),
    ],
)
def test_promises_of_reports(fields: dict[str, object], problem: str | None):
    report = Report.model_validate(
        {"name": "a", "sql": "select 1 as n", "promise": {"by": "07:30"}, **fields}
    )
    found = [text for field, text in problems(report) if field == "promise"]
    assert (problem in found[0]) if problem else found == []


def test_a_promise_is_stored_and_read_again():
    report = Report.model_validate(
        {"name": "a", "sql": "select 1 as n", "schedule": "daily"}
        | {"promise": {"by": "07:30", "weekdays": ["mon-fri"], "timezone": "Europe/Berlin"}}
    )
    assert Report.model_validate_json(report.to_json()) == report
    stored = PromisedReport.model_validate_json(report.to_json())
    assert stored.promise == report.promise
