"""The analytics database: reachable, ours in time, its reader powerless, its tables bounded.

Reads the catalog as the worker's role and as the reader; writes nothing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, RowMapping, text

from stack.doctor.findings import Finding, judged, size
from toolkit.database import direct, reader_url
from toolkit.settings import settings

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
    rows = connection.execute(text(_sql("table_sizes"))).mappings().all()
    for row in rows:
        message = f"{size(row['bytes'])}, about {row['rows']:,.0f} rows"
        fix = "Lower the variable *_RETENTION_DAYS of its history, then VACUUM FULL it."
        large = row["bytes"] > LARGE_TABLE
        yield judged("size", f"ops.{row['name']}", message, warn=large, fix=fix)


def reader() -> Iterator[Finding]:
    """What the role that runs users' SQL may do."""
    with direct(reader_url()) as connection:
        schemas = {"schemas": settings().analytics_schemas}
        row = connection.execute(text(_sql("reader_rights")), schemas).mappings().one()
    excess = list(_excess(row))
    message = "; ".join(excess) if excess else f"{row['role']} can only SELECT"
    fix = f"REVOKE it: rules and reports run SQL of users as {row['role']}."
    yield judged("permissions", "reader can't write", message, fail=bool(excess), fix=fix)
    hidden = row["can_not_read"]
    message = f"{hidden} relations can't be read" if hidden else "reads all analytics schemas"
    fix = "`analytics-worker migrate` grants SELECT."
    yield judged("permissions", "reader can read", message, warn=bool(hidden), fix=fix)


def _excess(row: RowMapping) -> Iterator[str]:
    if row["is_privileged"]:
        yield f"{row['role']} is a superuser, or may create roles or databases"
    if row["sees_ops"]:
        yield "it sees the schema ops"
    if row["may_create_in"]:
        yield f"it may create in {', '.join(row['may_create_in'])}"
    if row["may_write_to"]:
        yield f"it may write to {', '.join(row['may_write_to'])}"


def _sql(name: str) -> str:
    return (Path(__file__).parents[1] / "sql" / f"{name}.sql").read_text()
