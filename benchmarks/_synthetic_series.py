"""Seeded daily series as KPIs have them, with injected anomalies."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

START = date(2026, 1, 5)
"""A Monday."""
HISTORY_DAYS, DAYS = 98, 98 + 90
"""Anomalies are injected after the first days, which both methods may learn from."""
LEVEL_SHIFT_DAY = HISTORY_DAYS + 30
GRACE_DAYS = 14
"""After a lasting change of the level, what is said of these days is neither right nor wrong."""


@dataclass
class Series:
    """A series, and which of its days are anomalies."""

    kind: str
    values: list[float]
    anomalies: set[int] = field(default_factory=set[int])
    uncounted: set[int] = field(default_factory=set[int])
    holidays: set[date] = field(default_factory=set[date])


def day_of(number: int) -> date:
    """Return the date of a value."""
    return START + timedelta(days=number)


_BUSY, _SATURDAY = 0.3, 5
_WEEK = (1.0, 1.05, 1.02, 0.98, 0.9, 0.45, 0.35)


def _weekly(number: int) -> float:
    return 1000 * _WEEK[number % 7]


def _poisson(generator: Random, mean: float) -> int:
    limit, product, count = math.exp(-mean), 1.0, 0
    while (product := product * generator.random()) > limit:
        count += 1
    return count


def _flat(generator: Random) -> Series:
    return Series("flat", [generator.gauss(1000, 50) for _ in range(DAYS)])


def _week(generator: Random) -> Series:
    return Series("week", [_weekly(n) * generator.gauss(1, 0.05) for n in range(DAYS)])


def _trend(generator: Random) -> Series:
    values = [_weekly(n) * (1 + 0.004 * n) * generator.gauss(1, 0.05) for n in range(DAYS)]
    return Series("week and trend", values)


def _level_shift(generator: Random) -> Series:
    factors = [1.6 if n >= LEVEL_SHIFT_DAY else 1 for n in range(DAYS)]
    values = [_weekly(n) * factor * generator.gauss(1, 0.05) for n, factor in enumerate(factors)]
    uncounted = set(range(LEVEL_SHIFT_DAY + 1, LEVEL_SHIFT_DAY + 1 + GRACE_DAYS))
    return Series("level shift", values, {LEVEL_SHIFT_DAY}, uncounted)


def _zero_inflated(generator: Random) -> Series:
    values = [float(_poisson(generator, 20)) if generator.random() < _BUSY else 0.0 for _ in range(DAYS)]  # fmt: skip
    return Series("zero-inflated", values)


def _heavy_tailed(generator: Random) -> Series:
    return Series("heavy-tailed", [generator.lognormvariate(6, 0.5) for _ in range(DAYS)])


def _holidays(generator: Random) -> Series:
    weekdays = [n for n in range(DAYS) if day_of(n).weekday() < _SATURDAY]
    chosen = sorted(generator.sample(weekdays, 12))
    values = [(_weekly(5 if n in chosen else n)) * generator.gauss(1, 0.05) for n in range(DAYS)]
    return Series("holidays", values, holidays={day_of(n) for n in chosen})


def _constant(generator: Random) -> Series:
    return Series("constant", [float(generator.randint(1, 50))] * DAYS)


def _month(generator: Random) -> Series:
    values = [
        (3000 if day_of(n).day in {1, 2} else 1000) * generator.gauss(1, 0.05) for n in range(DAYS)
    ]
    return Series("month", values)


KINDS: Sequence[Callable[[Random], Series]] = (
    _flat, _week, _trend, _level_shift, _zero_inflated, _heavy_tailed, _holidays, _constant, _month,
)  # fmt: skip


def series(seed: int) -> list[Series]:
    """Return one series of each kind, with four spikes and four drops in each."""
    return [_with_anomalies(kind(_seeded(f"{seed} {kind.__name__}")), seed) for kind in KINDS]


def _seeded(seed: str) -> Random:
    return Random(seed)  # noqa: S311  # repeatable


def _with_anomalies(made: Series, seed: int) -> Series:
    generator = _seeded(f"{seed} {made.kind} anomalies")
    free = [
        n
        for n in range(HISTORY_DAYS, DAYS)
        if n not in made.anomalies | made.uncounted and day_of(n) not in made.holidays
    ]
    days = generator.sample(free, 8)
    for number in days[:4]:
        made.values[number] = made.values[number] * generator.uniform(1.5, 3) + (
            60 if made.kind == "zero-inflated" else 0
        )
    for number in days[4:]:
        made.values[number] *= generator.uniform(0, 0.6)
    # A drop of what is zero anyway is none.
    made.anomalies |= {n for n in days if made.kind != "zero-inflated" or n in days[:4]}
    made.uncounted |= set(days) - made.anomalies
    return made
