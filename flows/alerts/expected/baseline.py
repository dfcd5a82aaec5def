"""Compute what is expected of a value from its samples at the same time of earlier days.

Reads nothing, writes nothing. Each sample is the level of the weeks before it, what its season adds, and a
residual. Residuals are of predictions: a sample is no part of the median that it is compared with, so that few
samples do not make the range too narrow. Outliers do not change medians, as long as they are fewer than half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

from analytics_worker.presentation.exact_numbers import EXACT, change, ratio, total
from flows.alerts.expected.days import Calendar, DaySample, Grouping, group_of
from flows.alerts.expected.levels import levels
from flows.alerts.expected.medians import median, residuals_of, spread_of
from flows.alerts.rules.model_expected import Season

MIN_SAMPLES = 3
"""Samples of the same day of the week or month without which nothing is expected."""
MIN_RESIDUALS = 7
_BETTER = Decimal("0.9")
"""How much smaller the residuals of a season must be to be chosen."""
_APART = Decimal(3)
"""Spreads between two centers that are not chance."""
_OUTLIER = Decimal(7)
"""Scaled median absolute deviations beyond which the size of a residual does not count."""


@dataclass(frozen=True)
class Baseline:
    """The center of what is expected, and one scaled median absolute deviation."""

    center: Decimal
    spread: Decimal
    grouping: Grouping
    samples: int
    """Number of samples of the group, which the center is of."""
    residuals: Sequence[Decimal]
    unit: Decimal = Decimal(1)
    """The size of a residual of 1."""

    def error(self, cap: Decimal) -> Decimal:
        """Return the mean of the residuals; unlike their median, it shows a pattern of few days.

        Args:
            cap: What larger residuals count as, so that outliers do not hide the pattern; 0 for no cap.
        """
        limit = ratio(cap, self.unit)
        counted = [min(each, limit) for each in self.residuals] if cap else self.residuals
        return EXACT.multiply(self.unit, ratio(total(counted), Decimal(len(counted))))


@dataclass(frozen=True)
class Learning:
    """There are fewer samples than a baseline needs."""

    samples: int
    needed: int

    @property
    def text(self) -> str:
        """How many samples there are, and how many are needed."""
        return f"learning, {self.samples} of {self.needed} samples"


def compute_baseline(
    samples: Sequence[DaySample], day: date, season: Season, calendar: Calendar
) -> Baseline | Learning:
    """Return the baseline of a day.

    Args:
        samples: At most one sample of each earlier day, the earliest first; infinite ones are left out.
        day: The day of the value.
        season: Which earlier days it is compared with; ``auto`` chooses by the residuals.
        calendar: Which days are days off.
    """
    known = [each for each in samples if each.value.is_finite()]
    series = _Series(known, day, calendar)
    if calendar.is_holiday(day):
        return series.baseline("day_off")
    return series.baseline(season) if season != "auto" else _best(series)


def _best(series: "_Series") -> Baseline | Learning:
    """Return the baseline of the season with the smallest residuals; without a pattern, that of all days.

    Nothing is expected before each day of the week has been seen as often as a season needs.
    """
    weekly, daily = series.baseline("week"), series.baseline("day")
    if isinstance(weekly, Learning) or isinstance(daily, Learning):
        return weekly
    best, cap = daily, EXACT.multiply(daily.spread, _OUTLIER)
    for other in (weekly, series.baseline("month")):
        if isinstance(other, Baseline) and (
            other.error(cap) < EXACT.multiply(best.error(cap), _BETTER) or _is_apart(other, best)
        ):
            best = other
    return best


def _is_apart(other: Baseline, best: Baseline) -> bool:
    """Return whether a season expects another value on this day, as of a pattern of a few days of the month."""
    if other.grouping != "month":
        return False
    distance = change(other.center, best.center).copy_abs()
    noise = max(best.spread, other.spread)
    return distance > EXACT.multiply(noise, _APART)


class _Series:
    """The samples of earlier days, each with the level of the weeks before it."""

    def __init__(self, samples: Sequence[DaySample], day: date, calendar: Calendar) -> None:
        self._samples, self._day, self._calendar = samples, day, calendar
        self._groups: dict[Grouping, dict[int, list[int]]] = {}
        self._levels, self._level = levels(samples, day, calendar)
        is_positive = all(each.value >= 0 for each in samples)
        self._can_be_relative = is_positive and all(
            each > 0 for each in [*self._levels, self._level]
        )

    @cached_property
    def _differences(self) -> list[Decimal]:
        pairs = zip(self._samples, self._levels, strict=True)
        return [EXACT.subtract(sample.value, level) for sample, level in pairs]

    @cached_property
    def _quotients(self) -> list[Decimal]:
        pairs = zip(self._samples, self._levels, strict=True)
        return [ratio(sample.value, level) for sample, level in pairs]

    def baseline(self, grouping: Grouping) -> Baseline | Learning:
        """Return the baseline of the day.

        Noise and season of amounts grow with their level. Samples that repeat exactly are compared exactly, as
        quotients can't be.
        """
        found = self._absolute(grouping)
        if isinstance(found, Learning) or not found.spread or not self._can_be_relative:
            return found
        return self._relative(grouping, found)

    def _absolute(self, grouping: Grouping) -> Baseline | Learning:
        group, residuals = self._grouped(grouping, self._differences)
        if len(group) < MIN_SAMPLES:
            return Learning(len(group), MIN_SAMPLES)
        if len(residuals) < MIN_RESIDUALS:
            return Learning(len(residuals), MIN_RESIDUALS)
        center = EXACT.add(self._level, median(group))
        return Baseline(center, spread_of(residuals), grouping, len(group), residuals)

    def _relative(self, grouping: Grouping, absolute: Baseline) -> Baseline:
        group, residuals = self._grouped(grouping, self._quotients)
        center, spread = EXACT.multiply(self._level, median(group)), spread_of(residuals)
        spread = EXACT.multiply(self._level, spread)
        return Baseline(center, spread, grouping, absolute.samples, residuals, self._level)

    def _grouped(
        self, grouping: Grouping, values: Sequence[Decimal]
    ) -> tuple[list[Decimal], list[Decimal]]:
        """Return the values of the day's group in order, and the residuals of all groups."""
        groups = {
            group: sorted(values[number] for number in numbers)
            for group, numbers in self._numbers(grouping).items()
        }
        residuals = [residual for each in groups.values() for residual in residuals_of(each)]
        return groups.get(group_of(self._day, grouping), []), residuals

    def _numbers(self, grouping: Grouping) -> Mapping[int, Sequence[int]]:
        """Return which samples are in each group."""
        if grouping not in self._groups:
            groups = self._groups[grouping] = {}
            for number, sample in enumerate(self._samples):
                if self._calendar.belongs(sample.day, grouping):
                    groups.setdefault(group_of(sample.day, grouping), []).append(number)
        return self._groups[grouping]
