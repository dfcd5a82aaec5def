"""Describe breaker records for the command line, the exporter and run results.

Reads the store of the settings; writes nothing.
"""

import math
import time
from datetime import UTC, datetime
from typing import TypedDict

from analytics_worker.breakers.factory import configured_store
from analytics_worker.breakers.state_machine import Record, seconds_until_probe

DATABASE, DBT = "database", "dbt"
"""The breakers that always exist."""


class BreakerStats(TypedDict):
    """One breaker: instants in ISO 8601 (UTC), durations in seconds, totals since the first call.

    ``store`` is ``redis`` or ``sqlite``, or ``memory`` while that is unreachable and this process
    counts alone. ``failures`` are consecutive ones. A trip is a change from closed to open, so a
    failed probe is not another trip. Successes may lag by a second.
    """

    name: str
    state: str
    failures: int
    opened_at: str | None
    retry_after_seconds: float
    last_error: str | None
    last_failure_at: str | None
    failures_total: int
    successes_total: int
    rejections_total: int
    trips_total: int
    store: str


def statistics(name: str, record: Record, store: str, now: float) -> BreakerStats:
    """Describe the record as of now."""
    return BreakerStats(
        name=name,
        state=record.state,
        failures=record.failures,
        opened_at=iso(record.opened_at),
        retry_after_seconds=_rounded_up(seconds_until_probe(record, now)),
        last_error=record.last_error,
        last_failure_at=iso(record.last_failure_at),
        failures_total=record.failures_total,
        successes_total=record.successes_total,
        rejections_total=record.rejections_total,
        trips_total=record.trips_total,
        store=store,
    )


def breaker_stats() -> list[BreakerStats]:
    """Return state and counts of every breaker that any process has used, and of database and dbt.

    Never uses the memory of one process: raises StoreUnreachableError instead.
    """
    shared = configured_store().shared
    records = {name: Record() for name in (DATABASE, DBT)} | shared.load_all()
    now = time.time()
    return [statistics(name, record, shared.kind, now) for name, record in records.items()]


def _rounded_up(seconds: float) -> float:
    """Round up to the millisecond: a call after a wait of 0 must be admitted."""
    return math.ceil(seconds * 1000) / 1000


def iso(instant: float | None) -> str | None:
    """Format seconds since 1970 as ISO 8601, to the second."""
    if instant is None:
        return None
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="seconds")
