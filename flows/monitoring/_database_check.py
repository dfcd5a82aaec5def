"""Whether the analytics database can be reached, how fast, and how much room it has left.

Reads through a connection of its own, past pool and circuit breaker: what the check wants to know is
whether the breaker is right. Writes nothing.
"""

import time

from sqlalchemy.exc import OperationalError

from analytics_worker.circuit_breaker import StoreUnreachableError, db_circuit_breaker
from analytics_worker.database.connections import direct_connection, run_sql, warehouse_url
from flows.monitoring._checks import Finding

CONNECTIONS_FULL = 0.9
LAG_SECONDS = 300.0
FIX = (
    "Start PostgreSQL, or correct DATABASE_URL; flows go on by themselves once it answers"
    " (`analytics-worker doctor` shows more)."
)


def check_database() -> Finding:
    """Connect, ask, and look at sessions and replication."""
    started = time.perf_counter()
    try:
        with direct_connection(warehouse_url()) as connection:
            connected = time.perf_counter()
            row = run_sql(connection, "monitoring/database_health")[0]
    except OperationalError as error:
        return Finding("unhealthy", _first_line(error), FIX)
    asked = time.perf_counter()
    used, most, lag = row["connections_used"], row["connections_max"], row["lag_seconds"]
    text = (
        f"PostgreSQL {row['version'].split()[0]}: connected in {(connected - started) * 1000:.0f} ms,"
        f" answered in {(asked - connected) * 1000:.0f} ms; {used} of {most} connections used"
    )
    text += "" if lag is None else f"; replication lags {float(lag):.0f} s"
    return _judge(text, used / most, float(lag or 0))


def _judge(text: str, share: float, lag: float) -> Finding:
    if share >= CONNECTIONS_FULL:
        return Finding("degraded", text, "Raise max_connections, or find who keeps them open.")
    if lag > LAG_SECONDS:
        return Finding("degraded", text, "Look at pg_stat_replication on the primary.")
    opened = _open_breaker()
    if opened:
        return Finding("degraded", f"{text}; {opened}", "It closes by itself at the next call.")
    return Finding("healthy", text)


def _open_breaker() -> str:
    try:
        state = db_circuit_breaker.get_stats()["state"]
    except StoreUnreachableError:
        return ""  # the check of Redis says so
    return "" if state == "closed" else f"the circuit breaker is {state}"


def _first_line(error: OperationalError) -> str:
    lines = str(error.orig).strip().splitlines()
    return lines[0].split("failed: ")[-1] if lines else "no answer"
