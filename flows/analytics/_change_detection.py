"""Detect whether a refresh would change a view; if in doubt, assume that it would.

Reads pg_catalog, the statistics and ``ops.refresh_log``; writes nothing. The design is explained
in docs/decisions/refresh-skipping.md.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.settings import settings
from flows.analytics import _cancellation

IDLE_FLUSH_SECONDS = 10  # PGSTAT_IDLE_INTERVAL
BUSY_FLUSH_SECONDS = 1  # PGSTAT_MIN_INTERVAL
MARGIN_SECONDS = 1
POLL_SECONDS = 0.25
INCOMPARABLE = {
    "definition": "its definition changed",
    "counting_since": "the server or its statistics were restarted",
    "settings": "time zone or other settings changed",
}
"""Parts of the fingerprint that make the counters incomparable, with the reason to report."""
UNCOUNTED_CHANGES = "other sessions may have uncounted changes"


def fingerprints(connection: Connection, oids: Sequence[int]) -> dict[int, RowMapping]:
    """Return the fingerprint of the inputs of each view; see fingerprints.sql."""
    rows = run_sql(connection, "analytics/fingerprints", views=list(oids))
    return {row["oid"]: row for row in rows}


def comparable_fingerprint(row: RowMapping, own_state: str | None = None) -> dict[str, Any]:
    """Return the fingerprint as the refresh log stores and compares it."""
    return {**row["fingerprint"], "own_state": own_state or row["own_state"]}


def reasons_to_refresh(oids: Sequence[int]) -> dict[int, str | None]:
    """Return why each view must be refreshed; None if a refresh would change nothing."""
    reasons, started = _compare(oids)
    unchanged = [oid for oid, reason in reasons.items() if reason is None]
    if not unchanged:
        return reasons
    if not _wait_until_counted(min(started[oid] for oid in unchanged)):
        return {oid: reason or UNCOUNTED_CHANGES for oid, reason in reasons.items()}
    return reasons | _compare(unchanged)[0]


def _compare(oids: Sequence[int]) -> tuple[dict[int, str | None], dict[int, datetime]]:
    """Return the current reasons, and when each view was last refreshed."""
    max_age = settings().refresh_max_age_hours * 3600
    with warehouse() as connection:  # a new transaction: statistics are cached in each
        rows = run_sql(
            connection, "analytics/last_refreshes", views=list(oids), max_age_seconds=max_age
        )
        last = {row["oid"]: row for row in rows}
        now = fingerprints(connection, oids)
    reasons = {oid: _difference(now.get(oid), last.get(oid)) for oid in oids}
    return reasons, {oid: row["started_at"] for oid, row in last.items()}


def _difference(now: RowMapping | None, last: RowMapping | None) -> str | None:
    if now is None or last is None or last["fingerprint"] is None:
        return "no refresh is recorded"
    if now["unsure"]:
        return "; ".join(now["unsure"])
    if last["is_too_old"]:
        return f"last refreshed more than {settings().refresh_max_age_hours:g} hours ago"
    return _fingerprint_difference(comparable_fingerprint(now), last["fingerprint"])


def _fingerprint_difference(now: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    incomparable = next(
        (reason for key, reason in INCOMPARABLE.items() if now[key] != before[key]), None
    )
    if incomparable:
        return incomparable
    inputs = now["inputs"].items() ^ before["inputs"].items()
    if inputs:
        return f"changed: {', '.join(sorted({name for name, _ in inputs}))}"
    return None if now["own_state"] == before["own_state"] else "it was changed outside the refresh"


def _wait_until_counted(refreshed_at: datetime) -> bool:
    """Wait until the statistics include every change that was committed before this call.

    Return False if they still may not after the flush interval of recently busy sessions.
    """
    waited, cancelled = 0.0, _cancellation.current.get().cancelled
    first = sessions = _uncounted_sessions(refreshed_at)
    while sessions and waited < IDLE_FLUSH_SECONDS + 2 * MARGIN_SECONDS:
        if cancelled.wait(POLL_SECONDS) or any(row["is_hidden"] for row in sessions):
            return False
        waited += POLL_SECONDS
        sessions = _uncounted_sessions(refreshed_at, first)
    return not sessions


def _uncounted_sessions(
    refreshed_at: datetime, candidates: Sequence[RowMapping] | None = None
) -> Sequence[RowMapping]:
    with warehouse() as connection:
        return run_sql(
            connection,
            "analytics/sessions_with_uncounted_changes",
            refreshed_at=refreshed_at,
            pids=None if candidates is None else [row["pid"] for row in candidates],
            checked_at=candidates[0]["checked_at"] if candidates else None,
            idle_seconds=IDLE_FLUSH_SECONDS + MARGIN_SECONDS,
            flush_seconds=BUSY_FLUSH_SECONDS,
        )
