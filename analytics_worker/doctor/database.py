"""Check the clock of the analytics database and the sizes of its tables.

Reads the system catalog as the worker's role; writes nothing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg2
from sqlalchemy import Connection, text

from analytics_worker.database.pooler import pooled_variables, warning
from analytics_worker.database.write_access import write_problem
from analytics_worker.delivery.routing import unreachable_owner
from analytics_worker.doctor.database_problems import problem, warehouse_fix
from analytics_worker.doctor.findings import Finding, graded, size
from analytics_worker.doctor.statements import statement
from analytics_worker.migrations import current, head
from analytics_worker.prefect_support.clock_difference import MAX_SECONDS

LARGE_TABLE_BYTES = 1_000_000_000
WARN_SKEW_SECONDS = 2.0


def clock(connection: Connection) -> Iterator[Finding]:
    """Compare the database's clock with this host's."""
    database_time: datetime = connection.execute(text("select clock_timestamp()")).scalar_one()
    yield skew("database", abs((database_time - datetime.now(UTC)).total_seconds()))


def primary(connection: Connection) -> Iterator[Finding]:
    """Check that the database can be written to: it is no read replica, and not read-only."""
    if problem := write_problem(connection):
        yield Finding("database", "writes", "fail", *problem)


def sessions() -> Iterator[Finding]:
    """Check that sessions keep their locks and settings, which a pooler in transaction mode does not."""
    name = "sessions"
    try:
        pooled = dict(pooled_variables())
    except psycopg2.OperationalError as error:
        yield Finding("database", name, "fail", problem(error), warehouse_fix(error))
        return
    for variable, fix in pooled.items():
        message = warning(variable, fix).partition(": ")[0]
        yield Finding("database", name, "fail", message, f"{fix[0].upper()}{fix[1:]}.")
    if not pooled:
        yield Finding("database", name, "ok", "keep their locks and settings")


def skew(name: str, seconds: float) -> Finding:
    """Return the finding for a difference between two clocks."""
    return graded(
        "clock",
        name,
        f"{seconds:.1f} s from this host's",
        warn=seconds > WARN_SKEW_SECONDS,
        fail=seconds > MAX_SECONDS,
        fix="Let NTP set both clocks: schedules, periods of rules, and from 20 s the detection of crashes depend on them. The worker claims nothing from 20 s.",
    )


def owners(connection: Connection) -> Iterator[Finding]:
    """Check that the owners of rules and reports can be notified at their addresses."""
    if current(connection) != head():
        return  # which versions.tables reports
    names = connection.scalars(text(statement("owners"))).all()
    lines = list(filter(None, map(unreachable_owner, names)))
    more = f" (and {len(lines) - 1} more owners)" if len(lines) > 1 else ""
    message = f"{lines[0]}{more}" if lines else "all can be notified"
    fix = "Set ALERT_EMAIL_HOST, or name a channel as the owner."
    yield graded("database", "owners", message, warn=bool(lines), fix=fix)


def sizes(connection: Connection) -> Iterator[Finding]:
    """Check the size of every table of schema ops."""
    rows = connection.execute(text(statement("table_sizes"))).mappings().all()
    for row in rows:
        message = f"{size(row['bytes'])}, about {row['rows']:,.0f} rows"
        fix = "Lower the variable *_RETENTION_DAYS of its history, then VACUUM FULL it."
        large = row["bytes"] > LARGE_TABLE_BYTES
        yield graded("size", f"ops.{row['name']}", message, warn=large, fix=fix)
