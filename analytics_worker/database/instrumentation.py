"""Time the connections and statements of an engine and count errors, for `analytics_worker.telemetry`.

Reads and writes nothing itself: it listens to SQLAlchemy's events. Statements that are passed to the
driver directly are not seen here; their callers time them.
"""

import time
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from analytics_worker.errors import sqlstate
from analytics_worker.telemetry import CONNECT, ERRORS, QUERY, count, observe, operation, timed
from analytics_worker.tracing import record_statement

STARTED_KEY = "telemetry_started"


def instrument(engine: Engine) -> None:
    """Time all connections and statements of the engine from now on."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "before_cursor_execute", _start_timing)
    event.listen(engine, "after_cursor_execute", _end_timing)
    event.listen(engine, "handle_error", _count_error)


def _connect(dialect: Any, _record: object, arguments: Any, options: Any) -> Any:
    with timed(CONNECT):
        return dialect.connect(*arguments, **options)


def _start_timing(connection: Any, *_: object) -> None:
    connection.info[STARTED_KEY] = time.perf_counter()


def _end_timing(connection: Any, _cursor: object, statement: str, *_: object) -> None:
    _observe(connection, statement)


def _count_error(context: ExceptionContext) -> None:
    count(ERRORS, error_class(context.original_exception))
    if context.connection is not None and context.statement is not None:
        _observe(context.connection, context.statement, context.original_exception)


def _observe(connection: Any, statement: str, error: BaseException | None = None) -> None:
    started = connection.info.pop(STARTED_KEY, None)
    if started is not None:
        seconds = time.perf_counter() - started
        observe(seconds, QUERY, operation(statement))
        record_statement(statement, seconds, error)


def error_class(error: BaseException | None) -> str:
    """Return the first two characters of the SQLSTATE, or ``none`` if the error has none."""
    code = sqlstate(error) if error is not None else None
    return code[:2] if code else "none"
