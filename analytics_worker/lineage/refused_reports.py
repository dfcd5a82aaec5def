"""Find the reports that the server refuses since a column of what they read was removed or renamed.

Their own flow plans them every five minutes, and incidents do not wait for it. Plans their SQL as their reader; reads no
rows. Writes ops.unit_reads. Only the server's word that a column does not exist counts, because the values of
parameters are not those of a run.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg2 import errorcodes
from sqlalchemy import RowMapping
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.database.connections import warehouse
from analytics_worker.database.reader_sessions import ReaderSession, reader_sessions
from analytics_worker.database.select_guard import placeholders
from analytics_worker.database.session_errors import UserSqlError
from analytics_worker.errors import is_database_outage
from analytics_worker.lineage.statements import run
from analytics_worker.lineage.unit_reads import UnitReads, save_reads
from analytics_worker.text import one_line

TIMEOUT = timedelta(seconds=2)
BUDGET_SECONDS = 10

SessionOf = Callable[[str | None], ReaderSession]


def record_refused_reports() -> list[str]:
    """Store that reports can't be planned any more; return a line if that can't be looked at."""
    try:
        with warehouse() as connection:
            rows = run(connection, "reports_without_columns")
        if not rows:
            return []
        end = time.monotonic() + BUDGET_SECONDS
        with reader_sessions() as session_for:
            refused = [
                UnitReads(row["name"], None)
                for row in rows
                if time.monotonic() < end and _is_refused(row, session_for)
            ]
        with warehouse() as connection:
            save_reads(connection, "report", refused)
    except SQLAlchemyError as error:
        if is_database_outage(error):
            raise
        return [f"refused reports: {one_line(str(getattr(error, 'orig', None) or error))}"]
    return []


def _is_refused(row: RowMapping, session_for: SessionOf) -> bool:
    try:
        session = session_for(row["reader"])
        return any(
            _lacks_column(session, sql, row["parameters"]) for sql in row["statements"] or ()
        )
    except Exception as error:  # any error that is no outage is the report's own
        if isinstance(error, CircuitOpenError) or is_database_outage(error):
            raise
        return False


def _lacks_column(session: ReaderSession, sql: str, parameters: Mapping[str, Any]) -> bool:
    now = datetime.now(UTC)
    known = {name: each["value"] for name, each in parameters.items()}
    values = {"period_start": now, "period_end": now, **known}
    try:
        session.relations(sql, dict.fromkeys(placeholders(sql)) | values, timeout=TIMEOUT)
    except UserSqlError as error:
        return error.sqlstate == errorcodes.UNDEFINED_COLUMN
    return False
