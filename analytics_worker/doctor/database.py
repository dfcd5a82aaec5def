"""The analytics database: reachable, ours in time, its tables bounded.

Reads the catalog as the worker's role; writes nothing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from analytics_worker.doctor.findings import Finding, judged, size
from analytics_worker.doctor.statements import statement

LARGE_TABLE = 1_000_000_000
SKEW_SECONDS, WRONG_CLOCK_SECONDS = 2.0, 30.0


def clock(connection: Connection) -> Iterator[Finding]:
    """The database's clock against ours."""
    theirs: datetime = connection.execute(text("select clock_timestamp()")).scalar_one()
    yield skew("database", abs((theirs - datetime.now(UTC)).total_seconds()))


def skew(whose: str, seconds: float) -> Finding:
    """A difference between two clocks, as a finding."""
    return judged(
        "clock",
        whose,
        f"{seconds:.1f} s from this host's",
        warn=seconds > SKEW_SECONDS,
        fail=seconds > WRONG_CLOCK_SECONDS,
        fix="Let NTP set both clocks: schedules and periods of rules count on them.",
    )


def sizes(connection: Connection) -> Iterator[Finding]:
    """Every table of schema ops."""
    rows = connection.execute(text(statement("table_sizes"))).mappings().all()
    for row in rows:
        message = f"{size(row['bytes'])}, about {row['rows']:,.0f} rows"
        fix = "Lower the variable *_RETENTION_DAYS of its history, then VACUUM FULL it."
        large = row["bytes"] > LARGE_TABLE
        yield judged("size", f"ops.{row['name']}", message, warn=large, fix=fix)
