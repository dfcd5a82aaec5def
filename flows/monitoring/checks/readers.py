"""Check whether the databases that user SQL reads answer, and how far behind read replicas are.

Reads through connections of its own, without pool and circuit breaker. Writes nothing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from analytics_worker.database.connections import direct_connection, reader_url
from analytics_worker.database.replicas import replayed_until
from analytics_worker.settings import settings
from flows.monitoring.checks.database import MAX_LAG_SECONDS
from flows.monitoring.checks.runner import Finding
from flows.monitoring.checks.services import NOT_CONFIGURED

FIX = "Start it, or correct READER_DATABASE_URL and READER_DATABASE_URLS."
LAG_FIX = "Look at the replica's log, and at pg_stat_replication on its primary."


def check_readers() -> Finding:
    """Check the roles that have a URL of their own; the default reader otherwise reads DATABASE_URL."""
    names = [*_default(), *settings().reader_database_urls]
    if not names:
        return Finding("skipped", NOT_CONFIGURED)
    texts, late = [], False
    for name in names:
        with direct_connection(reader_url(name)) as connection:
            until = replayed_until(connection)
        lag = None if until is None else max((datetime.now(UTC) - until).total_seconds(), 0)
        late |= (lag or 0) > MAX_LAG_SECONDS
        state = "answers" if lag is None else f"is a replica, {lag:,.0f} s behind"
        texts.append(f"{name or 'the default reader'} {state}")
    return Finding("degraded" if late else "healthy", "; ".join(texts), LAG_FIX if late else "")


def _default() -> Iterator[None]:
    if settings().reader_database_url is not None:
        yield None
