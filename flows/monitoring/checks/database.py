"""Check whether the analytics database answers, how fast, and how many connections are free.

Reads through its own connection, without pool and circuit breaker: the check also verifies whether the
breaker should be open. Writes nothing.
"""

import time

from sqlalchemy.exc import OperationalError

from analytics_worker.circuit_breaker import StoreUnreachableError, db_circuit_breaker
from analytics_worker.database.connections import direct_connection, run_sql, warehouse_url
from analytics_worker.database.libpq_url import connection_problem
from analytics_worker.database.write_access import write_problem
from flows.monitoring.checks.runner import Finding

MAX_CONNECTION_SHARE = 0.9
MAX_LAG_SECONDS = 300.0
FIX = (
    "Start PostgreSQL, or correct DATABASE_URL; flows continue without intervention once it answers"
    " (`analytics-worker doctor` shows more)."
)


def check_database() -> Finding:
    """Check the connection, a query, the number of sessions and the replication lag."""
    started = time.perf_counter()
    try:
        with direct_connection(warehouse_url()) as connection:
            connected = time.perf_counter()
            row = run_sql(connection, "monitoring/database_health")[0]
            answered = time.perf_counter()
            refused = write_problem(connection)
    except OperationalError as error:
        return Finding("unhealthy", _reason(error), FIX)
    if refused:
        return Finding("unhealthy", *refused)
    used, maximum, lag = row["connections_used"], row["connections_max"], row["lag_seconds"]
    text = (
        f"PostgreSQL {row['version'].split()[0]}: connected in {(connected - started) * 1000:.0f} ms,"
        f" answered in {(answered - connected) * 1000:.0f} ms; {used} of {maximum} connections used"
    )
    text += "" if lag is None else f"; replication lags {float(lag):.0f} s"
    return _classify(text, used / maximum, float(lag or 0))


def _classify(text: str, share: float, lag: float) -> Finding:
    if share >= MAX_CONNECTION_SHARE:
        return Finding("degraded", text, "Raise max_connections, or close unused connections.")
    if lag > MAX_LAG_SECONDS:
        return Finding("degraded", text, "Look at pg_stat_replication on the primary.")
    breaker = _open_breaker()
    if breaker:
        return Finding("degraded", f"{text}; {breaker}", "It closes at the next successful call.")
    return Finding("healthy", text)


def _open_breaker() -> str:
    try:
        state = db_circuit_breaker.get_stats()["state"]
    except StoreUnreachableError:
        return ""  # the check of Redis reports it
    return "" if state == "closed" else f"the circuit breaker is {state}"


def _reason(error: OperationalError) -> str:
    return connection_problem(str(error.orig)) or "no answer"
