"""Recognize a database that refuses to write: a read replica, or one that is read-only by default.

A provider sets that default when a disk is full, an administrator on a demoted primary. Writes nothing.
"""

from pathlib import Path
from typing import Any

from psycopg2 import errorcodes
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine import ExceptionContext

from analytics_worker.errors import sqlstate

REPLICA = "DATABASE_URL leads to a read replica, which can't be written to"
REPLICA_FIX = "Name the primary, or several hosts with target_session_attrs=read-write."
READ_ONLY = "the database is read-only (default_transaction_read_only = on)"
SEE_DOCTOR = "the database is read-only: `analytics-worker doctor` names the fix"
SETTING = "default_transaction_read_only"
RESETS = {
    "user": "ALTER ROLE {role} RESET {setting}",
    "database": "ALTER DATABASE {database} RESET {setting}",
    "database user": "ALTER ROLE {role} IN DATABASE {database} RESET {setting}",
}
"""Statements by the source that pg_settings names."""
REPORTED = (SETTING, "in_hot_standby")
"""What the server reports to each session: no statement of a function changes the second one."""
STATEMENT = (Path(__file__).parent / "sql" / "write_access.sql").read_text()


def write_problem(connection: Connection) -> tuple[str, str] | None:
    """Return why the database of DATABASE_URL can't be written to, and the fix; None if it can."""
    found = connection.execute(text(STATEMENT)).one()
    if found.is_replica:
        return REPLICA, REPLICA_FIX
    return (f"{READ_ONLY[0].upper()}{READ_ONLY[1:]}", _fix(found)) if found.is_read_only else None


def _fix(found: Any) -> str:
    reset = RESETS.get(found.source, "")
    own = reset.format(role=found.role, database=found.database, setting=SETTING)
    change = f"run `{own}`" if own else f"set {SETTING} to off where it was set ({found.source})"
    return f"If its disk is full, make room first; if it is a former primary, name the new one. Else {change}."


def detect_read_only(engine: Engine) -> None:
    """Let a refused write be an outage, and its connection be replaced, which may keep an old default."""
    event.listen(engine, "handle_error", _mark)


def _mark(context: ExceptionContext) -> None:
    if sqlstate(context.original_exception) != errorcodes.READ_ONLY_SQL_TRANSACTION:
        return
    session: Any = context.connection and context.connection.connection.driver_connection
    if session and "on" in map(session.get_parameter_status, REPORTED):
        context.is_disconnect = True
        if context.sqlalchemy_exception:
            context.sqlalchemy_exception.add_detail(SEE_DOCTOR)
