"""When a report is due, as definitions say it: valid forms, and a line for each mistake."""

from datetime import UTC, datetime
from itertools import islice

import pytest
from pydantic import ValidationError

from analytics_worker.definitions.yaml_definitions import DefinitionError
from analytics_worker.errors import PermanentError
from flows.reports.definitions.model import Report
from flows.reports.definitions.payloads import report_from_payload
from flows.reports.definitions.validation import problems
from flows.reports.definitions.yaml_files import load
from flows.reports.scheduling.report_periods import last_report_period, named_report_period
from flows.reports.scheduling.report_times import due_times


def report(**fields: object) -> Report:
    return Report.model_validate({"name": "r", "sql": "select 1", **fields})


def mistakes(**fields: object) -> list[str]:
    return [f"{field}: {text}" for field, text in problems(report(**fields))]


@pytest.mark.parametrize(
    "fields",
    [
        {"at": "07:30"},
        {"at": ["07:30", "17:00"], "weekdays": "mon-fri"},
        {"at": "07:30", "weekdays": ["sat-mon", "wed"]},
        {"at": "07:30", "weekdays": "working", "timezone": "Europe/Berlin"},
        {"at": "07:30", "schedule": "monthly", "weekdays": "last_working"},
        {"cron": "0 8 * 1,4,7,10 *", "weekdays": "first_working", "period": "quarter"},
        {"cron": "0 17 LW * *"},
        {"cron": "0 8 * * MON#1"},
    ],
)
def test_valid_times(fields):
    assert mistakes(**fields) == []
    stored = Report.model_validate_json(report(**fields).to_json())
    assert stored == report(**fields)
    times = due_times(stored)
    assert times
    assert len(list(islice(times.after(datetime.now(UTC)), 3))) == 3


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"weekdays": "working"}, "weekdays: weekdays needs a time; expected at or cron, too"),
        ({"period": "day", "schedule": "daily"}, "period: period needs a time; expected at or cron, too"),
        ({"cron": "0 7 * * *", "at": "07:00"}, "at: cron and at exclude each other; expected one of them"),
        ({"cron": "0 7 * * *", "schedule": "daily"}, "schedule: schedule and cron exclude each other; expected period: day, week or month in place of schedule"),
        ({"cron": "0 7 1 * *", "weekdays": "working"}, "weekdays: cron '0 7 1 * *' names days, too; expected * in their place, or no weekdays"),
        ({"at": "07:00", "schedule": "monthly", "weekdays": ["mon"]}, "weekdays: a monthly report is due once; expected first_working or last_working"),
    ],
)  # fmt: skip
def test_contradiction_is_named_with_its_fix(fields, mistake):
    assert mistakes(**fields) == [mistake]


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("at: 17:30", 'at.0: 1050 is not a valid time of day; expected one in quotes: "09:30"'),
        ('at: "25:00"', "at.0: '25:00' is not a valid time of day"),
        ('at: "07:30:15"', "at.0: 07:30:15 is not valid; expected hours and minutes"),
        ('cron: "61 * * * *"', "cron: '61 * * * *' is not a valid cron expression (Bad minute)"),
        (
            "weekdays: mo",
            "weekdays: 'mo' is not valid; expected days such as [mon, thu] or mon-fri",
        ),
        ("weekdays: []", "weekdays: [] is not valid; expected days such as"),
        (
            "period: year",
            "period: 'year' is not valid; expected 'day', 'week', 'month' or 'quarter'",
        ),
    ],
)
def test_mistake_in_the_file_is_one_line_with_the_field(line, mistake, tmp_path):
    content = f"reports:\n  - name: r\n    owner: o@example.com\n    sql: select 1\n    {line}\n"
    (tmp_path / "reports.yml").write_text(content)
    with pytest.raises(DefinitionError) as error:
        load(tmp_path)
    (problem,) = str(error.value).splitlines()
    assert f"reports.yml:5: {mistake}" in problem


def test_payload_of_a_caller_has_no_times():
    """Callers send whole rows, which can have columns of these names."""
    keys = {"cron": "nonsense", "at": 7, "weekdays": {}, "period": "2026"}
    data = {"name": "r", "query": "select 1"} | keys
    assert not report_from_payload(data, "report_data").has_own_times


def test_label_of_an_interval():
    one = report(at="07:30", timezone="Europe/Berlin")
    at = datetime(2026, 11, 25, 6, 30, tzinfo=UTC)
    last = last_report_period(one, at)
    assert (last.end, last.label) == (at, "2026-11-25T07:30+01:00")
    for label in ("2026-11-25T07:30", "2026-11-25 07:30", last.label, "2026-11-25T06:30Z"):
        assert named_report_period(one, label) == last
    assert last.text == "24 November 2026, 07:30 – 25 November 2026, 07:30"
    assert last.previous().end == last.start


def test_two_intervals_whose_ends_the_clock_shows_alike_have_different_names():
    one = report(cron="0 * * * *", timezone="Europe/Berlin")
    ends = [datetime(2026, 10, 25, hour, tzinfo=UTC) for hour in (0, 1)]
    both = [last_report_period(one, end) for end in ends]
    assert [each.label[11:] for each in both] == ["02:00+02:00", "02:00+01:00"]
    assert [each.file_label for each in both] == ["2026-10-25-0200", "2026-10-25-0200b"]


@pytest.mark.parametrize(
    "label", ["2026-11-25T08:00", "2026-11-25", "x", "9999-12-31T23:59", "0001-01-01"]
)
def test_label_that_is_no_due_time_is_refused(label):
    with pytest.raises(
        PermanentError, match=f"'{label}' is not a due time of r; expected one like 20"
    ):
        named_report_period(report(at="07:30"), label)


def test_quarter():
    one = report(at="07:30", period="quarter")
    period = last_report_period(one, datetime(2026, 2, 1, tzinfo=UTC))
    assert (period.label, period.text) == ("2025-Q4", "quarter 4 of 2025")
    assert (f"{period.start:%Y-%m-%d}", f"{period.end:%Y-%m-%d}") == ("2025-10-01", "2026-01-01")
    assert period.previous() == named_report_period(one, "2025-Q3")
    with pytest.raises(PermanentError, match="'2026-Q5' is not a valid quarterly period"):
        named_report_period(one, "2026-Q5")


def test_unknown_day_in_a_definition_is_refused():
    with pytest.raises(ValidationError, match="expected days such as"):
        report(at="07:30", weekdays=["mon", "someday"])
