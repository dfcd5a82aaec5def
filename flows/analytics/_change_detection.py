"""Whether a refresh would change anything. Any doubt means that it would.

Reads pg_catalog, the statistics and ``ops.refresh_log``; writes nothing. The reasoning is in
docs/decisions/refresh-skipping.md.
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
WORTHLESS = {
    "definition": "its definition changed",
    "counting_since": "the server or its statistics were restarted",
    "settings": "time zone or other settings changed",
}
"""Parts of the fingerprint that make the counters incomparable, and what to say."""
UNCOUNTED = "other sessions may have changed something that is not counted yet"


def fingerprints(connection: Connection, oids: Sequence[int]) -> dict[int, RowMapping]:
    """What a refresh of each view would read: see fingerprints.sql."""
    rows = run_sql(connection, "analytics/fingerprints", views=list(oids))
    return {row["oid"]: row for row in rows}


def comparable(row: RowMapping, own_state: str | None = None) -> dict[str, Any]:
    """What the log keeps, and what it is compared with."""
    return {**row["fingerprint"], "own_state": own_state or row["own_state"]}


def reasons_to_refresh(oids: Sequence[int]) -> dict[int, str | None]:
    """For each view why it must be refreshed, or None if that would change nothing."""
    reasons, started = _compare(oids)
    unchanged = [oid for oid, reason in reasons.items() if reason is None]
    if not unchanged:
        return reasons
    if not _wait_until_counted(min(started[oid] for oid in unchanged)):
        return {oid: reason or UNCOUNTED for oid, reason in reasons.items()}
    return reasons | _compare(unchanged)[0]


def _compare(oids: Sequence[int]) -> tuple[dict[int, str | None], dict[int, datetime]]:
    """The reasons as of now, and when each view was last refreshed."""
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
        return "no refresh of it is recorded"
    if now["unsure"]:
        return "; ".join(now["unsure"])
    if last["is_too_old"]:
        return f"last refreshed more than {settings().refresh_max_age_hours:g} hours ago"
    return _changed(comparable(now), last["fingerprint"])


def _changed(now: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    worthless = next((why for key, why in WORTHLESS.items() if now[key] != before[key]), None)
    if worthless:
        return worthless
    inputs = now["inputs"].items() ^ before["inputs"].items()
    if inputs:
        return f"changed: {', '.join(sorted({name for name, _ in inputs}))}"
    return None if now["own_state"] == before["own_state"] else "it was changed by something else"


def _wait_until_counted(refreshed_at: datetime) -> bool:
    """Whether all that was committed before this call shows in the statistics.

    Waits some seconds for sessions that were busy a moment ago, if there are any.
    """
    waited, cancelled = 0.0, _cancellation.current.get().cancelled
    first = sessions = _uncounted(refreshed_at)
    while sessions and waited < IDLE_FLUSH_SECONDS + 2 * MARGIN_SECONDS:
        if cancelled.wait(POLL_SECONDS) or any(row["is_hidden"] for row in sessions):
            return False
        waited += POLL_SECONDS
        sessions = _uncounted(refreshed_at, first)
    return not sessions


def _uncounted(
    refreshed_at: datetime, suspects: Sequence[RowMapping] | None = None
) -> Sequence[RowMapping]:
    with warehouse() as connection:
        return run_sql(
            connection,
            "analytics/sessions_with_uncounted_changes",
            refreshed_at=refreshed_at,
            pids=None if suspects is None else [row["pid"] for row in suspects],
            asked_at=suspects[0]["asked_at"] if suspects else None,
            idle_seconds=IDLE_FLUSH_SECONDS + MARGIN_SECONDS,
            flush_seconds=BUSY_FLUSH_SECONDS,
        )
