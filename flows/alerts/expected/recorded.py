"""Compute what would have been expected at past times, from samples in memory.

Reads definitions/calendar.yml; writes nothing.
"""

from bisect import bisect_right
from datetime import date, datetime, timedelta

from flows.alerts.evaluation.samples import Samples
from flows.alerts.expected.history import (
    MAX_DAYS,
    Expectations,
    PastDays,
    calendar_of,
    times_of,
    tolerance,
)
from flows.alerts.rules.model import Rule


def horizon(rule: Rule) -> timedelta:
    """Return how much earlier the samples begin that a rule learns from."""
    return timedelta(days=MAX_DAYS[rule.expected.season] if rule.expected else 0)


class RecordedExpectations:
    """The samples of a replay until now."""

    def __init__(self, rule: Rule, step: timedelta) -> None:
        self._rule = rule
        self._tolerance = max(step, tolerance(rule))
        self._calendar = calendar_of() if rule.expected else None
        self._times: list[datetime] = []
        self._samples: list[Samples] = []

    def add(self, at: datetime, samples: Samples) -> None:
        """Add the samples of the next evaluation."""
        self._times.append(at)
        self._samples.append(samples)

    def expectations(self, at: datetime) -> Expectations | None:
        """Return what is expected at a time after the samples; None for a rule without ``expected``."""
        if self._calendar is None:
            return None
        return Expectations(self._rule, at, self._past_days(at), self._calendar)

    def _past_days(self, at: datetime) -> PastDays:
        found: list[tuple[date, Samples]] = []
        for day, same_time in times_of(self._rule, at):
            position = bisect_right(self._times, same_time) - 1
            if position >= 0 and same_time - self._times[position] < self._tolerance:
                found.append((day, self._samples[position]))
        return found
