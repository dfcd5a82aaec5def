"""Due times: in time zones, across clock changes, on working days."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_worker.calendars.due_times import CronError, DueTimes, parse_cron
from analytics_worker.calendars.working_days import WorkingDays

BERLIN, LORD_HOWE, SAO_PAULO = "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo"


def local(due: datetime, zone: str) -> str:
    return due.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")


def of_days(times: DueTimes, first: str, days: int = 1) -> list[str]:
    """Return the due times of local days, as the clock shows them."""
    start = datetime.combine(date.fromisoformat(first), time(), ZoneInfo(times.timezone))
    end = (start + timedelta(days=days)).astimezone(UTC)
    dues = times.latest(start.astimezone(UTC) - timedelta(microseconds=1), end, 10_000)
    return [local(due, times.timezone) for due in dues if due < end]


@pytest.mark.parametrize(
    ("zone", "cron", "day", "expected"),
    [
        # skipped: due when the clock has moved on, once
        (BERLIN, "30 2 * * *", "2026-03-29", ["2026-03-29T03:00+02:00"]),
        (BERLIN, "0,30 2 * * *", "2026-03-29", ["2026-03-29T03:00+02:00"]),
        (LORD_HOWE, "15 2 * * *", "2026-10-04", ["2026-10-04T02:30+11:00"]),
        (SAO_PAULO, "0 0 * * *", "2018-11-04", ["2018-11-04T01:00-02:00"]),
        # shown twice: due the first time
        (BERLIN, "30 2 * * *", "2026-10-25", ["2026-10-25T02:30+02:00"]),
        (LORD_HOWE, "45 1 * * *", "2026-04-05", ["2026-04-05T01:45+11:00"]),
        (SAO_PAULO, "30 23 * * *", "2019-02-16", ["2019-02-16T23:30-02:00"]),
        # other times of these days
        (BERLIN, "30 7 * * *", "2026-03-29", ["2026-03-29T07:30+02:00"]),
        (LORD_HOWE, "0 9 * * *", "2026-04-05", ["2026-04-05T09:00+10:30"]),
        # a day that the zone left out
        ("Pacific/Apia", "30 7 * * *", "2011-12-29", ["2011-12-29T07:30-10:00"]),
    ],
)
def test_time_that_the_clock_skips_or_shows_twice(zone, cron, day, expected):
    assert of_days(DueTimes(zone, cron=cron), day) == expected
    minute, hour = cron.split()[:2]
    if minute.isdigit():
        at = (time(int(hour), int(minute)),)
        assert of_days(DueTimes(zone, times=at), day) == expected


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (BERLIN, "2026-03-29", 23),
        (BERLIN, "2026-10-25", 25),
        (SAO_PAULO, "2018-11-04", 23),
        (SAO_PAULO, "2019-02-16", 25),
        (BERLIN, "2026-06-01", 24),
    ],
)
def test_hourly_is_due_in_every_hour_that_passes(zone, day, hours):
    dues = of_days(DueTimes(zone, cron="0 * * * *"), day)
    assert len(dues) == len(set(dues)) == hours
    instants = [datetime.fromisoformat(due) for due in dues]
    assert {later - earlier for earlier, later in pairwise(instants)} == {timedelta(hours=1)}


def test_half_hour_change_of_lord_howe_is_followed():
    times = DueTimes(LORD_HOWE, cron="30 1,2 * * *")
    assert of_days(times, "2026-10-04") == ["2026-10-04T01:30+10:30", "2026-10-04T02:30+11:00"]
    every = DueTimes(LORD_HOWE, cron="*/15 1 * * *")
    assert [due[11:] for due in of_days(every, "2026-04-05")] == [
        "01:00+11:00", "01:15+11:00", "01:30+11:00", "01:45+11:00", "01:30+10:30", "01:45+10:30",
    ]  # fmt: skip


def test_day_that_the_zone_left_out_is_due_once():
    times = DueTimes("Pacific/Apia", times=(time(0),))
    start = datetime(2011, 12, 29, 20, tzinfo=UTC)
    dues = [local(due, "Pacific/Apia") for due in islice(times.after(start), 2)]
    assert dues == ["2011-12-31T00:00+14:00", "2012-01-01T00:00+14:00"]
    back = [
        local(due, "Pacific/Apia") for due in islice(times.before(start + timedelta(days=1)), 2)
    ]
    assert back == ["2011-12-31T00:00+14:00", "2011-12-29T00:00-10:00"]
    assert next(times.before(datetime(2011, 12, 31, tzinfo=UTC))) == datetime(
        2011, 12, 30, 10, tzinfo=UTC
    )


def test_working_days_first_and_last_of_the_month():
    holidays = frozenset({date(2026, 12, 31), "01-01", date(2026, 11, 30)})
    working = WorkingDays(own_holidays=holidays)

    def dues(days, first, count) -> list[str]:
        return of_days(
            DueTimes(BERLIN, (time(7, 30),), days=days, working_days=working), first, count
        )

    assert [due[:10] for due in dues("working", "2026-11-26", 6)] == [
        "2026-11-26", "2026-11-27", "2026-12-01",
    ]  # fmt: skip
    assert dues("last_working", "2026-11-01", 61) == [
        "2026-11-27T07:30+01:00",
        "2026-12-30T07:30+01:00",
    ]
    assert dues("first_working", "2026-12-02", 40) == ["2027-01-04T07:30+01:00"]
    assert [due[:10] for due in dues(("mon", "thu"), "2026-11-26", 8)] == [
        "2026-11-26", "2026-11-30", "2026-12-03",
    ]  # fmt: skip


def test_quarterly_on_the_first_working_day():
    working = WorkingDays(own_holidays=frozenset({"01-01"}))
    times = DueTimes(BERLIN, cron="0 8 * 1,4,7,10 *", days="first_working", working_days=working)
    dues = islice(times.after(datetime(2026, 11, 29, tzinfo=UTC)), 4)
    assert [local(due, BERLIN)[:16] for due in dues] == [
        "2027-01-04T08:00", "2027-04-01T08:00", "2027-07-01T08:00", "2027-10-01T08:00",
    ]  # fmt: skip


def test_leap_day_and_days_that_never_come():
    leap = DueTimes("UTC", cron="0 0 29 2 *")
    assert next(leap.after(datetime(2026, 11, 29, tzinfo=UTC))) == datetime(2028, 2, 29, tzinfo=UTC)
    nobody = WorkingDays(weekdays=frozenset())
    never = DueTimes("UTC", (time(9),), days="working", working_days=nobody)
    assert next(never.after(datetime(2026, 1, 1, tzinfo=UTC)), None) is None
    assert never.latest(datetime(2000, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), 3) == []


@pytest.mark.parametrize(
    "cron", ["", "* * * *", "0 7 * * * *", "61 * * * *", "0 0 31 2 *", "@daily", "0 7 * * 1-5 x y"]
)
def test_invalid_cron_is_refused_with_an_example(cron):
    with pytest.raises(CronError, match=r'is not a valid cron expression .*"30 7 \* \* 1-5"'):
        parse_cron(cron)


ZONES = st.sampled_from([BERLIN, LORD_HOWE, SAO_PAULO, "UTC", "Asia/Kathmandu", "Africa/Cairo"])
CRONS = st.sampled_from(
    ["30 2 * * *", "0 * * * *", "*/15 * * * *", "0 0 * * 0", "45 1 1 * *", "0 0,12 * * 1-5"]
)
INSTANTS = st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis adds the zone


@given(ZONES, CRONS, INSTANTS)
def test_due_times_are_the_same_in_both_directions(zone, cron, at):
    times = DueTimes(zone, cron=cron)
    forward = list(islice(times.after(at), 5))
    assert forward == sorted(set(forward))
    backward = list(islice(times.before(forward[-1] + timedelta(microseconds=1)), 5))
    assert backward[::-1] == forward
    assert times.latest(at, forward[-1], 3) == forward[2:]
