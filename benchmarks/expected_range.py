"""Compare the expected range of rules with Elementary's anomaly detection, and measure what reading its samples costs.

Both get the same seeded daily series with the same injected anomalies. Elementary gets what its own default needs:
14 days, and 98 with the seasonality day_of_week. The expected range gets ``season: auto`` and the default sensitivity,
with as many days as are kept: 30 by default, and 98. ``python -m benchmarks.expected_range`` shows each kind of series.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median

from analytics_worker.calendars.working_days import WorkingDays
from analytics_worker.database.connections import warehouse
from benchmarks._elementary import is_anomaly
from benchmarks._synthetic_series import DAYS, HISTORY_DAYS, Series, day_of, series
from benchmarks._table import Row, render
from benchmarks._warehouse import connect, execute, fresh_warehouse
from flows.alerts.expected.baseline import Baseline, compute_baseline
from flows.alerts.expected.days import Calendar, DaySample
from flows.alerts.expected.history import load_expectations
from flows.alerts.rules.model import Rule
from flows.alerts.rules.model_expected import DEFAULT_SENSITIVITY
from flows.alerts.rules.sync import sync

SEEDS = range(10)
RULES, ROUNDS = 500, 5
SLOT = datetime(2026, 11, 23, 9, tzinfo=UTC)

Method = Callable[[Series, int], bool]
Counts = Counter[tuple[str, str]]
"""Days by kind of series and by what a method said: hit, false or missed."""


def measure() -> list[Row]:
    """Return precision and recall of both, and the milliseconds for 500 rules."""
    counts = count_all()
    costs = {days: cost(days) for days in (30, 220)}
    rows = [
        Row(f"anomalies, {name}: {what}", share(counts[ours], what), "%", f"Elementary {other}", share(counts[theirs], what))
        for name, ours in (("98 days kept", "98 days"), ("30 days kept", "30 days"))
        for other, theirs in (("by day of week", "Elementary by day of week"), ("default", "Elementary"))
        for what in ("precision", "recall")
    ]  # fmt: skip
    return [
        *rows,
        *(
            Row(f"expected ranges of {RULES} rules, {days} days kept: {what}", milliseconds, "ms")
            for days, both in costs.items()
            for what, milliseconds in zip(("read the samples", "compute, CPU"), both, strict=True)
        ),
    ]


METHODS: dict[str, Method] = {
    "Elementary": lambda made, n: is_anomaly(made.values, n, by_day_of_week=False),
    "Elementary by day of week": lambda made, n: is_anomaly(made.values, n, by_day_of_week=True),
    "30 days": lambda made, n: _is_unexpected(made, n, 30),
    "98 days": lambda made, n: _is_unexpected(made, n, 98),
}


def _is_unexpected(made: Series, number: int, kept: int) -> bool:
    samples = [DaySample(day_of(n), _decimal(made.values[n])) for n in range(number - kept, number)]
    calendar = Calendar(WorkingDays(own_holidays=frozenset(made.holidays)))
    found = compute_baseline(samples, day_of(number), "auto", calendar)
    if not isinstance(found, Baseline):
        return False
    deviation = abs(_decimal(made.values[number]) - found.center)
    return deviation > found.spread * DEFAULT_SENSITIVITY


def _decimal(value: float) -> Decimal:
    return Decimal(repr(round(value, 3)))


def count_all() -> dict[str, Counts]:
    """Return the counts of each method over all series."""
    counts: dict[str, Counts] = {name: Counter() for name in METHODS}
    for seed in SEEDS:
        for made in series(seed):
            for name, method in METHODS.items():
                counts[name].update(_said(made, method))
    return counts


def _said(made: Series, method: Method) -> Iterator[tuple[str, str]]:
    for number in range(HISTORY_DAYS, DAYS):
        if number in made.uncounted:
            continue
        is_real, is_said = number in made.anomalies, method(made, number)
        if is_real or is_said:
            yield made.kind, ("hit" if is_said else "missed") if is_real else "false"


def share(counts: Counts, what: str, kind: str | None = None) -> float:
    """Return precision or recall in percent, of one kind of series or of all."""
    sums: Counter[str] = Counter()
    for (each, said), count in counts.items():
        sums[said] += count if kind in {None, each} else 0
    others = sums["false" if what == "precision" else "missed"]
    return 100 * sums["hit"] / (sums["hit"] + others or 1)


def cost(days: int) -> tuple[float, float]:
    """Return the milliseconds of reading the samples of all rules, and the CPU of computing their ranges."""
    with fresh_warehouse() as url:
        content = {"sql": "select 1 as value", "every": "1h", "expected": {}}
        rules = {f"r{n}": Rule.model_validate({**content, "name": f"r{n}"}) for n in range(RULES)}
        sync({("alert", name): rule for name, rule in rules.items()})
        ids = _record(url, days)
        wanted = {rule_id: (rules[name], SLOT) for rule_id, name in ids}
        measured = [_timed(wanted, days) for _ in range(1 + ROUNDS)][1:]
    reading, computing = zip(*measured, strict=True)
    return median(reading), median(computing)


def _record(url: str, days: int) -> list[tuple[int, str]]:
    """Record a sample of each rule for each hour; return the rules."""
    connection = connect(url)
    execute(
        connection,
        "insert into ops.alert_evaluations (rule_id, slot, evaluated_at, status, reading, keys, firing, attempts)"
        " select id, at, at, 'ok', round((1000 * random())::numeric, 2), 1, 0, 1 from ops.alert_rules"
        " cross join generate_series(%s - %s * interval '1 day', %s - interval '1 hour', interval '1 hour') as at",
        (SLOT, days, SLOT),
    )
    execute(connection, "vacuum analyze ops.alert_evaluations")
    rules = execute(connection, "select id, name from ops.alert_rules")
    connection.close()
    return [(rule_id, name) for rule_id, name in rules]


def _timed(wanted: dict[int, tuple[Rule, datetime]], days: int) -> tuple[float, float]:
    started = time.perf_counter()
    with warehouse(statement_timeout_seconds=timedelta(minutes=1).total_seconds()) as connection:
        found = load_expectations(connection, wanted)
    read, computed = time.perf_counter(), time.process_time()
    assert all(len(each.past) == days for each in found.values())
    ranges = [each.range_of("") for each in found.values()]
    seconds = time.process_time() - computed
    assert all(ranges)
    return 1000 * (read - started), 1000 * seconds


def _by_kind() -> str:
    """Return precision and recall of each method for each kind of series, as a table."""
    counts = count_all()
    kinds = [made.kind for made in series(0)]
    lines = [["series", *METHODS], ["---"] * (1 + len(METHODS))]
    for kind in [*kinds, None]:
        cells = [
            " / ".join(f"{share(each, what, kind):.0f} %" for what in ("precision", "recall"))
            for each in counts.values()
        ]
        lines.append([kind or "all", *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    random.seed(0)
    print(_by_kind())
    print(render(measure()))
