"""Times connections and statements of an engine, and counts what goes wrong, for `analytics_worker.telemetry`.

Reads and writes nothing itself: SQLAlchemy tells it when a statement begins and ends. Statements given
to the driver directly are not seen; whoever gives them there times them.
"""

import time
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from analytics_worker.errors import sqlstate
from analytics_worker.telemetry import CONNECT, ERRORS, QUERY, count, observe, operation, timed

STARTED = "telemetry_started"


def watch(engine: Engine) -> None:
    """Time everything that the engine does from now on."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "before_cursor_execute", _before)
    event.listen(engine, "after_cursor_execute", _after)
    event.listen(engine, "handle_error", _error)


def _connect(dialect: Any, _record: object, arguments: Any, options: Any) -> Any:
    with timed(CONNECT):
        return dialect.connect(*arguments, **options)


def _before(connection: Any, *_: object) -> None:
    connection.info[STARTED] = time.perf_counter()


def _after(connection: Any, _cursor: object, statement: str, *_: object) -> None:
    _observe(connection, statement)


def _error(context: ExceptionContext) -> None:
    count(ERRORS, error_class(context.original_exception))
    if context.connection is not None and context.statement is not None:
        _observe(context.connection, context.statement)


def _observe(connection: Any, statement: str) -> None:
    started = connection.info.pop(STARTED, None)
    if started is not None:
        observe(time.perf_counter() - started, QUERY, operation(statement))


def error_class(error: BaseException | None) -> str:
    """The first two characters of the SQLSTATE; ``none`` where the server gave none."""
    code = sqlstate(error) if error is not None else None
    return code[:2] if code else "none"
