"""Compute statistics of ended runs: counts, percentiles, and the trend since the day before.

Reads nothing, writes nothing.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypedDict

from flows.monitoring.runs.ended_runs import EndedRun


class Distribution(TypedDict):
    """Percentiles in seconds; None without runs."""

    p50: float | None
    p95: float | None
    max: float | None


class Statistics(TypedDict):
    """Statistics of one flow or task over a day."""

    kind: str
    name: str
    runs: int
    states: dict[str, int]
    retries: int
    success_rate: float | None
    duration: Distribution
    wait: Distribution
    runs_before: int
    success_rate_before: float | None
    duration_p95_before: float | None


def summarize(runs: Iterable[EndedRun], midpoint: datetime) -> list[Statistics]:
    """Return one row per flow and task: runs that ended after ``midpoint``, compared with those before."""
    groups: defaultdict[tuple[str, str], tuple[list[EndedRun], list[EndedRun]]]
    groups = defaultdict(lambda: ([], []))
    for run in runs:
        groups[run.kind, run.name][run.ended_at >= midpoint].append(run)
    return [_row(kind, name, before, now) for (kind, name), (before, now) in sorted(groups.items())]


def _row(kind: str, name: str, before: list[EndedRun], now: list[EndedRun]) -> Statistics:
    return Statistics(
        kind=kind,
        name=name,
        runs=len(now),
        states=dict(Counter(run.state for run in now)),
        retries=sum(run.retries for run in now),
        success_rate=_success_rate(now),
        duration=_distribution([run.duration_seconds for run in now]),
        wait=_distribution([run.wait_seconds for run in now]),
        runs_before=len(before),
        success_rate_before=_success_rate(before),
        duration_p95_before=_distribution([run.duration_seconds for run in before])["p95"],
    )


def _success_rate(runs: Sequence[EndedRun]) -> float | None:
    return sum(run.completed for run in runs) / len(runs) if runs else None


def _distribution(values: list[float]) -> Distribution:
    ordered = sorted(values)
    return Distribution(
        p50=percentile(ordered, 50),
        p95=percentile(ordered, 95),
        max=ordered[-1] if ordered else None,
    )


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Return the percentile by the nearest-rank method; None without values."""
    if not ordered:
        return None
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def trend(row: Statistics) -> str:
    """Describe how the day compares with the day before."""
    if not row["runs_before"]:
        return "new"
    if not row["runs"]:
        return "no runs"
    now, before = row["success_rate"] or 0, row["success_rate_before"] or 0
    if round(now, 3) != round(before, 3):
        return f"{'▲' if now > before else '▼'} success {(now - before) * 100:+.1f} points"
    return _duration_trend(row["duration"]["p95"] or 0, row["duration_p95_before"] or 0)


def _duration_trend(now: float, before: float) -> str:
    if not before or 0.8 <= now / before <= 1.25:  # noqa: PLR2004  # changes of up to a quarter are noise
        return "steady"
    return f"{'▼ slower' if now > before else '▲ faster'} {now / before - 1:+.0%}"
