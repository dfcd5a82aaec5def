"""Periods in the time zones of reports: without gaps, without overlaps."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_worker.errors import PermanentError
from flows.reports.scheduling.periods import (
    SCHEDULE_TYPES,
    last_period,
    missed_periods,
    named_period,
)

ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu",
                         "Pacific/Apia", "America/Sao_Paulo", "Africa/Cairo"])  # fmt: skip
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2050, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis adds the zone
KINDS = st.sampled_from(SCHEDULE_TYPES)


@given(KINDS, INSTANTS, ZONES)
def test_last_period_has_ended_and_the_next_has_not(kind, at, zone):
    period = last_period(kind, at, zone)
    assert period.start < period.end <= at
    assert period.end == last_period(kind, period.end, zone).end
    assert at - period.end < timedelta(days=33)


@given(KINDS, INSTANTS, ZONES)
def test_period_starts_when_the_previous_one_ends(kind, at, zone):
    period = last_period(kind, at, zone)
    assert period.previous().end == period.start
    assert named_period(period.label, kind, zone) == period


@given(KINDS, INSTANTS, ZONES, st.integers(0, 5))
def test_missed_periods_precede_the_last_one_within_the_limit(kind, at, zone, limit):
    since = at - timedelta(days=500)
    missed = missed_periods(kind, at, zone, since=since, limit=limit)
    ends = [period.end for period in missed] + [last_period(kind, at, zone).end]
    assert len(missed) == limit
    assert ends == sorted(set(ends))
    assert missed_periods(kind, at, zone, since=at, limit=limit) == []


def test_days_when_clocks_change_have_23_and_25_hours():
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25)):
        period = named_period(day, "daily", "Europe/Berlin")
        assert period.end - period.start == timedelta(hours=hours)


def test_midnight_is_in_the_report_time_zone():
    at = datetime(2026, 11, 25, 6, tzinfo=UTC)
    assert last_period("daily", at, "UTC").label == "2026-11-24"
    assert last_period("daily", at, "America/Los_Angeles").label == "2026-11-23"
    period = named_period("2026-W47", "weekly", "Asia/Tokyo")
    assert (
        period.start.astimezone(ZoneInfo("Asia/Tokyo")).isoformat() == "2026-11-16T00:00:00+09:00"
    )
    assert period.text == "16 – 22 November 2026"


def test_label_of_another_kind_is_refused_with_an_example():
    with pytest.raises(
        PermanentError, match="'2026-11' is not a valid daily period; expected one like 2026-11-22"
    ):
        named_period("2026-11", "daily", "UTC")
