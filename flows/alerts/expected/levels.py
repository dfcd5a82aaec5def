"""Compute the level of a series on each day: the median of the weeks before it.

Reads nothing, writes nothing. The level follows a trend, and a lasting change within `LEVEL_DAYS`. Of
three whole weeks, it is the same on each day of the week.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from flows.alerts.expected.days import Calendar, DaySample
from flows.alerts.expected.medians import median

LEVEL_DAYS = timedelta(days=21)
MIN_LEVEL_SAMPLES = 7
_ZERO = Decimal(0)


def levels(
    samples: Sequence[DaySample], day: date, calendar: Calendar
) -> tuple[list[Decimal], Decimal]:
    """Return the level of each sample, and of the day.

    The days of the first weeks have the level of those weeks. A series of fewer samples has no level.
    """
    usual = [each for each in samples if not calendar.is_holiday(each.day)]
    if sum(each.day >= day - LEVEL_DAYS for each in usual) < MIN_LEVEL_SAMPLES:
        return [_ZERO] * len(samples), _ZERO
    window = _Window(usual)
    found = [window.level_before(each.day) for each in samples]
    return found, window.level_before(day)


class _Window:
    """The samples of the weeks before a day that moves forward."""

    def __init__(self, samples: Sequence[DaySample]) -> None:
        self._samples = samples
        first_weeks = samples[0].day + LEVEL_DAYS
        self._first_level = median(sorted(s.value for s in samples if s.day < first_weeks))
        self._start = self._end = 0
        self._ordered: list[Decimal] = []

    def level_before(self, day: date) -> Decimal:
        """Return the median of the weeks before a day, which is not before that of the last call."""
        while self._end < len(self._samples) and self._samples[self._end].day < day:
            insort(self._ordered, self._samples[self._end].value)
            self._end += 1
        while self._start < self._end and self._samples[self._start].day < day - LEVEL_DAYS:
            del self._ordered[bisect_left(self._ordered, self._samples[self._start].value)]
            self._start += 1
        has_enough = len(self._ordered) >= MIN_LEVEL_SAMPLES
        return median(self._ordered) if has_enough else self._first_level
