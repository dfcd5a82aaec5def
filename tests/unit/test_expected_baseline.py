"""What is expected of a value from its samples of earlier days: seasons, outliers, shifts, holidays, odd numbers."""

import statistics
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_worker.calendars.working_days import WorkingDays
from flows.alerts.expected.baseline import Baseline, Learning, compute_baseline
from flows.alerts.expected.days import Calendar, DaySample
from flows.alerts.expected.medians import residuals_of
from flows.alerts.rules.model_expected import Season

MONDAY = date(2026, 11, 23)
DAY = timedelta(days=1)
WEEK = [100, 110, 105, 98, 90, 40, 30]


def series(days, value, end=MONDAY):
    """One sample of each of the days before `end`; None leaves a day out."""
    earlier = [end - number * DAY for number in range(days, 0, -1)]
    values = ((day, value(day)) for day in earlier)
    return [DaySample(day, Decimal(str(each))) for day, each in values if each is not None]


def baseline(samples, day=MONDAY, season: Season = "auto", holidays=()):
    calendar = Calendar(WorkingDays(own_holidays=frozenset(holidays)))
    return compute_baseline(samples, day, season, calendar)


def known(*arguments, **fields):
    found = baseline(*arguments, **fields)
    assert isinstance(found, Baseline)
    return found


def seeded(seed):
    return Random(seed)  # noqa: S311  # a fixed series


def noisy(seed=1):
    generator = seeded(seed)
    return lambda day: round(WEEK[day.weekday()] * generator.gauss(1, 0.03), 2)


def test_each_day_of_the_week_is_expected_as_it_usually_is():
    samples = series(63, noisy())
    for number, usual in enumerate(WEEK):
        found = known(samples, MONDAY + number * DAY)
        assert found.grouping == "week"
        assert abs(found.center - usual) < usual * Decimal("0.08")


def test_a_series_that_repeats_exactly_is_expected_exactly():
    samples = series(63, lambda day: [10, 7, 3, 9, 11, 1, 13][day.weekday()])
    found = known(samples, MONDAY + DAY)
    assert (found.center, found.spread) == (7, 0)


def test_without_a_pattern_all_days_are_compared_with():
    generator = seeded(3)
    found = known(series(63, lambda _: round(generator.gauss(100, 5), 2)))
    assert (found.grouping, found.samples) == ("day", 63)


def test_a_pattern_of_the_month_is_found():
    generator = seeded(4)

    def value(day):
        return round((300 if day.day == 1 else 100) * generator.gauss(1, 0.03), 2)

    samples = series(200, value, date(2026, 12, 1))
    found = known(samples, date(2026, 12, 1))
    assert found.grouping == "month"
    assert 280 < found.center < 320


@pytest.mark.parametrize(("days", "samples"), [(0, 0), (6, 0), (7, 1), (14, 2)])
def test_it_learns_until_each_day_of_the_week_was_seen_three_times(days, samples):
    assert baseline(series(days, noisy())) == Learning(samples, 3)
    assert baseline(series(days, noisy()), season="week") == Learning(samples, 3)


def test_it_learns_from_seven_samples_of_a_weekly_rule():
    def weekly(day):
        return 100 if day.weekday() == 0 else None

    assert baseline(series(42, weekly), season="week") == Learning(6, 7)
    assert known(series(49, weekly), season="week").samples == 7


def test_learning_is_said_with_its_numbers():
    assert Learning(2, 3).text == "learning, 2 of 3 samples"


def test_days_without_a_sample_are_left_out():
    samples = series(63, lambda day: None if day.day % 5 == 0 else WEEK[day.weekday()])
    assert round(known(samples).center, 20) == 100


@pytest.mark.parametrize("outlier", ["0", "1e9", "-1e400"])
def test_outliers_do_not_move_the_range(outlier):
    samples = series(63, noisy())
    before = known(samples)
    spoiled = [
        DaySample(each.day, Decimal(outlier)) if each.day.day % 6 == 0 else each for each in samples
    ]
    after = known(spoiled)
    assert abs(after.center - before.center) < 8
    assert after.spread < 4 * before.spread


def test_a_lasting_change_is_expected_in_the_end():
    def shifted(days_ago):
        value = noisy()
        return series(63, lambda day: value(day) * (2 if day >= MONDAY - days_ago * DAY else 1))

    assert known(shifted(5)).center < 130
    assert known(shifted(18)).center > 170


def test_a_trend_is_followed():
    generator = seeded(5)
    start = MONDAY - 63 * DAY

    def value(day):
        return round((100 + 2 * (day - start).days) * generator.gauss(1, 0.02), 2)

    found = known(series(63, value))
    assert abs(found.center - 226) < 4 * found.spread


def test_a_holiday_is_compared_with_days_off_and_is_no_baseline():
    holidays = [MONDAY - 7 * number * DAY for number in (1, 2, 3, 4, 5)]

    def value(day):
        return 30 if day in holidays or day.weekday() > 4 else 100

    samples = series(63, value)
    assert known(samples, holidays=holidays).center == 100
    found = known(samples, holidays=[*holidays, MONDAY])
    assert (found.center, found.grouping) == (30, "day_off")


def test_infinite_samples_are_left_out():
    samples = series(63, lambda day: "Infinity" if day.day % 7 == 0 else WEEK[day.weekday()])
    found = known(samples)
    assert abs(found.center - 100) < 4 * found.spread < 20
    assert baseline(series(63, lambda _: "-Infinity")) == Learning(0, 3)


def test_rare_values_other_than_zero_are_no_surprise():
    generator = seeded(6)
    samples = series(98, lambda _: generator.choice([0, 0, 0, 0, 15, 20]))
    assert known(samples).spread > 3


numbers = st.decimals(allow_nan=False, allow_infinity=True)


@given(
    st.lists(st.none() | numbers, max_size=80),
    st.sampled_from(["week", "month", "auto"]),
    st.sets(st.integers(0, 80), max_size=9),
)
def test_any_numbers_give_a_finite_baseline(values, season, off):
    earlier = [MONDAY - (len(values) - n) * DAY for n in range(len(values))]
    pairs = zip(earlier, values, strict=True)
    samples = [DaySample(day, value) for day, value in pairs if value is not None]
    found = baseline(samples, season=season, holidays=[MONDAY - n * DAY for n in off])
    if isinstance(found, Baseline):
        assert found.center.is_finite()
        assert found.spread >= 0
    else:
        assert 0 <= found.samples < found.needed


@given(st.lists(st.integers(0, 10**40), min_size=30, max_size=70), st.integers(1, 10**30))
def test_other_units_give_the_same_range_in_these_units(values, factor):
    def exact(scale):
        return [
            DaySample(MONDAY - (len(values) - n) * DAY, Decimal(value * scale))
            for n, value in enumerate(values)
        ]

    one, other = known(exact(1), season="week"), known(exact(factor), season="week")
    tolerance = Decimal("1e-20") * factor * max(one.center.copy_abs(), one.spread, 1)
    assert abs(one.center * factor - other.center) <= tolerance


@given(st.lists(st.integers(-50, 50).map(Decimal), max_size=12))
def test_residuals_are_distances_from_the_median_of_the_others(values):
    ordered = sorted(values)
    others = [ordered[:n] + ordered[n + 1 :] for n in range(len(ordered))]
    pairs = zip(ordered, others, strict=True)
    expected = [abs(value - statistics.median(rest)) for value, rest in pairs if rest]
    assert residuals_of(ordered) == expected
