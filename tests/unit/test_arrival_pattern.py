"""Complete through from events per hour: quiet hours, gaps, warm-up, holidays, changes of the clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_worker.calendars.working_days import WorkingDays
from analytics_worker.completeness.arrival_pattern import (
    HOUR,
    Arrivals,
    Holidays,
    complete_through,
)

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def arrivals(
    end,
    weeks=6,
    timezone=UTC_ZONE,
    busy=lambda local: local.weekday() < 6,
    holidays=(),
    rows=100,
):
    """The busy hours before an instant."""
    zone = timezone
    since = end - timedelta(weeks=weeks)
    hours = [since + n * HOUR for n in range(int((end - since) / HOUR))]
    counted = {hour: rows for hour in hours if busy(hour.astimezone(zone))}
    return Arrivals(counted, since, zone, holidays)


def test_a_table_without_rows_on_sundays_is_complete_through_sunday_night():
    latest = MONDAY - timedelta(days=1, minutes=1)
    found = complete_through(latest, MONDAY + 3 * HOUR, arrivals(MONDAY))
    assert found.through == MONDAY


def test_a_load_that_stopped_at_noon_is_complete_through_its_last_event():
    noon = datetime(2026, 11, 25, 12, tzinfo=UTC)
    latest = noon - timedelta(minutes=1)
    assert complete_through(latest, noon + 18 * HOUR, arrivals(noon)).through == latest


def test_during_the_warm_up_the_latest_event_counts():
    latest = MONDAY - timedelta(days=1, minutes=1)
    found = complete_through(latest, MONDAY, arrivals(MONDAY, weeks=2))
    assert found.through == latest


@pytest.mark.parametrize("rows", [None, 3])
def test_an_hour_with_far_fewer_rows_than_ever_ends_it(rows):
    known = arrivals(MONDAY)
    gap = MONDAY - timedelta(days=3, hours=5)
    counted = {hour: n for hour, n in known.rows.items() if hour != gap} | (
        {gap: rows} if rows else {}
    )
    found = complete_through(
        MONDAY - timedelta(days=1, minutes=1),
        MONDAY,
        Arrivals(counted, known.since, known.timezone, ()),
    )
    assert found.through == gap
    assert "far fewer" in str(found.reason)


def test_a_holiday_is_not_a_gap_and_does_not_hold_it_back():
    friday = datetime(2026, 11, 20, tzinfo=UTC)
    holidays = Holidays(WorkingDays(own_holidays=frozenset({date(2026, 11, 20)})))
    assert date(2026, 11, 20) in holidays
    assert date(2026, 11, 21) not in holidays
    known = arrivals(friday, holidays=holidays)
    found = complete_through(friday - timedelta(minutes=1), friday + 30 * HOUR, known)
    assert found.through == friday + 24 * HOUR
    without = complete_through(friday - timedelta(minutes=1), friday + 30 * HOUR, arrivals(friday))
    assert without.through == friday - timedelta(minutes=1)


def test_a_relation_without_busy_hours_has_no_pattern():
    latest = MONDAY - timedelta(days=100)
    known = Arrivals({}, latest - timedelta(days=42), ZoneInfo("UTC"), ())
    assert complete_through(latest, MONDAY, known).through == latest


@pytest.mark.parametrize("sunday", [date(2026, 10, 25), date(2026, 3, 29)])
def test_quiet_hours_follow_the_local_clock(sunday):
    """Rows from 08:00 to 20:00 in Berlin, also in the week after the clock changed."""
    saturday = datetime(sunday.year, sunday.month, sunday.day - 1, 20, tzinfo=BERLIN)
    end = saturday.astimezone(UTC)
    known = arrivals(end, timezone=BERLIN, busy=lambda local: 8 <= local.hour < 20)
    now = datetime(sunday.year, sunday.month, sunday.day, 12, tzinfo=BERLIN).astimezone(UTC)
    found = complete_through(end - timedelta(minutes=1), now, known)
    assert found.through == datetime(sunday.year, sunday.month, sunday.day, 8, tzinfo=BERLIN)


@given(
    st.dictionaries(st.integers(0, 24 * 50), st.integers(0, 500)),
    st.integers(0, 24 * 50),
    st.integers(0, 24 * 30),
)
def test_never_after_now_and_not_before_the_latest_event_without_a_gap(counts, last, later):
    start = MONDAY - timedelta(weeks=10)
    latest, now = start + last * HOUR, start + (last + later) * HOUR
    rows = {start + hour * HOUR: n for hour, n in counts.items() if hour <= last}
    found = complete_through(latest, now, Arrivals(rows, start, BERLIN, ()))
    assert found.through <= now
    assert found.reason or found.through >= latest


def test_hours_that_lack_rows_are_counted_by_the_fewest_of_other_weeks():
    noon = datetime(2026, 11, 25, 12, tzinfo=UTC)
    known = arrivals(noon)
    found = complete_through(noon - timedelta(minutes=1), noon + 3.5 * HOUR, known)
    assert found.missing == {noon + n * HOUR: 100 for n in range(3)}
    fewer = {**known.rows, noon - timedelta(weeks=2) + HOUR: 60}
    found = complete_through(
        noon - timedelta(minutes=1), noon + 2 * HOUR, Arrivals(fewer, known.since, UTC_ZONE, ())
    )
    assert found.missing == {noon: 100, noon + HOUR: 60}


def test_a_slow_evening_and_empty_hours_lack_nothing():
    """Rows until 21:14, fewer than usual."""
    end = datetime(2026, 11, 24, 22, tzinfo=UTC)
    known = arrivals(end, busy=lambda local: 8 <= local.hour < 22)
    rows = {**known.rows, end - HOUR: 30}
    slow = Arrivals(rows, known.since, UTC_ZONE, ())
    assert complete_through(end - HOUR * 0.75, end + 5 * HOUR, slow).missing == {}


def test_without_a_pattern_nothing_is_known_of_missing_rows():
    latest = MONDAY - timedelta(days=1, minutes=1)
    assert complete_through(latest, MONDAY, arrivals(MONDAY, weeks=2)).missing is None


def test_holidays_lack_nothing_and_a_gap_lacks_its_own_rows():
    friday = datetime(2026, 11, 20, tzinfo=UTC)
    holidays = Holidays(WorkingDays(own_holidays=frozenset({friday.date()})))
    known = arrivals(friday, holidays=holidays)
    assert complete_through(friday - HOUR / 60, friday + 20 * HOUR, known).missing == {}
    gap = MONDAY - timedelta(days=2)
    rows = {hour: n for hour, n in arrivals(MONDAY).rows.items() if hour != gap}
    since = MONDAY - timedelta(weeks=6)
    found = complete_through(MONDAY - 25 * HOUR, MONDAY, Arrivals(rows, since, UTC_ZONE, ()))
    assert (found.through, found.missing) == (gap, {gap: 100})
