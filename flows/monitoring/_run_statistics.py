"""From runs to rows: counts, percentiles, and how the day compares with the one before.

Reads nothing, writes nothing.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypedDict

from flows.monitoring._ended_runs import EndedRun


class Spread(TypedDict):
    """Seconds; None without runs."""

    p50: float | None
    p95: float | None
    max: float | None


class Statistics(TypedDict):
    """One flow or task over a day."""

    kind: str
    name: str
    runs: int
    states: dict[str, int]
    retries: int
    success_rate: float | None
    duration: Spread
    wait: Spread
    runs_before: int
    success_rate_before: float | None
    duration_p95_before: float | None


def summarize(runs: Iterable[EndedRun], midpoint: datetime) -> list[Statistics]:
    """One row per flow and task: what ended after ``midpoint``, and how it was before."""
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
        duration=_spread([run.duration_seconds for run in now]),
        wait=_spread([run.wait_seconds for run in now]),
        runs_before=len(before),
        success_rate_before=_success_rate(before),
        duration_p95_before=_spread([run.duration_seconds for run in before])["p95"],
    )


def _success_rate(runs: Sequence[EndedRun]) -> float | None:
    return sum(run.completed for run in runs) / len(runs) if runs else None


def _spread(values: list[float]) -> Spread:
    ordered = sorted(values)
    return Spread(
        p50=percentile(ordered, 50),
        p95=percentile(ordered, 95),
        max=ordered[-1] if ordered else None,
    )


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """The smallest value that so many percent of them do not exceed (nearest rank)."""
    if not ordered:
        return None
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def trend(row: Statistics) -> str:
    """How the day compares with the one before, in a few words."""
    if not row["runs_before"]:
        return "new"
    if not row["runs"]:
        return "no runs"
    now, before = row["success_rate"] or 0, row["success_rate_before"] or 0
    if round(now, 3) != round(before, 3):
        return f"{'▲' if now > before else '▼'} success {(now - before) * 100:+.1f} points"
    return _speed(row["duration"]["p95"] or 0, row["duration_p95_before"] or 0)


def _speed(now: float, before: float) -> str:
    if not before or 0.8 <= now / before <= 1.25:  # noqa: PLR2004  # a quarter is noise
        return "steady"
    return f"{'▼ slower' if now > before else '▲ faster'} {now / before - 1:+.0%}"
