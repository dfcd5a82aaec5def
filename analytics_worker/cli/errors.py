"""Say in one line what ended a command. Reads and writes nothing.

Libraries that a command has not imported can't have raised the error, and are not imported for it.
"""

import sys
from collections.abc import Callable
from typing import Any

from analytics_worker.database.libpq_url import connection_problem
from analytics_worker.disk_problems import disk_problem
from analytics_worker.errors import PermanentError, chain
from analytics_worker.stack.errors import StackError
from analytics_worker.text import one_line

MAX_LENGTH = 500
UNFINISHED_SCHEMA = frozenset({"3F000", "42P01", "42703"})  # no such schema, table or column
DEPENDENT_OBJECTS = "2BP01"
QUERY_CANCELED = "57014"


def error_message(error: BaseException) -> str:
    """Return what went wrong and, where it is known, how to fix it.

    One line, except that a file's mistakes have a line each.
    """
    known = next(filter(None, (describe(error) for describe in DESCRIPTIONS)), None)
    if known is not None:
        return known
    kind, text = type(error).__name__, one_line(str(error), MAX_LENGTH)
    return f"unexpected {kind}{f': {text}' if text else ''}; --debug shows where"


def _own(error: BaseException) -> str | None:
    """Errors of this project, whose message is written for people."""
    if isinstance(error, PermanentError | StackError):
        return str(error)
    guard = sys.modules.get("analytics_worker.breakers.guarded_call")
    if guard and isinstance(error, guard.CircuitOpenError):
        return str(error)
    client = sys.modules.get("analytics_worker.prefect_support.stack_access")
    if client and isinstance(error, client.ApiUnavailableError):
        return str(error)
    return None


def _database(error: BaseException) -> str | None:
    driver = sys.modules.get("psycopg2")
    found = driver and next((link for link in chain(error) if isinstance(link, driver.Error)), None)
    if not found:
        return None
    code: str | None = getattr(found, "pgcode", None)
    if code is None:
        reason = connection_problem(str(found), short=False)
        return (
            f"The database does not answer: {one_line(reason, MAX_LENGTH) or type(found).__name__}"
        )
    text = one_line(str(found).strip().partition("\n")[0], MAX_LENGTH) or type(found).__name__
    return f"The database refused: {text}{_database_hint(found, code, text)}"


def _database_hint(error: Any, code: str, text: str) -> str:
    if _is_unfinished(code, text):
        return ": run `analytics-worker migrate`"
    if code == QUERY_CANCELED and "timeout" in text:
        return ": raise the statement_timeout of the role: ALTER ROLE … SET statement_timeout"
    if code == DEPENDENT_OBJECTS:
        dependents = one_line((error.diag.message_detail or "").replace("\n", "; "), MAX_LENGTH)
        return f" ({dependents}): drop them, run the command again, and create them again"
    return ""


def _is_unfinished(code: str, text: str) -> bool:
    """Whether the worker's own tables are missing or old."""
    return code in UNFINISHED_SCHEMA and '"ops' in text


def _api(error: BaseException) -> str | None:
    if not ("prefect.exceptions" in sys.modules and "httpx" in sys.modules):
        return None
    from httpx import HTTPError  # noqa: PLC0415  # takes a second unless it was imported
    from prefect.exceptions import ObjectNotFound  # noqa: PLC0415

    from analytics_worker.prefect_support.api_client import is_page  # noqa: PLC0415
    from analytics_worker.prefect_support.api_problems import api_problem  # noqa: PLC0415

    is_known = isinstance(error, HTTPError | ObjectNotFound) or is_page(error)
    return api_problem(error) if is_known else None


def _file(error: BaseException) -> str | None:
    if isinstance(error, UnicodeDecodeError):
        return f"A file is not UTF-8 text: {error.reason} at byte {error.start}"
    if problem := disk_problem(error):
        return problem
    if not isinstance(error, OSError) or error.strerror is None:
        return None
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


DESCRIPTIONS: tuple[Callable[[Any], str | None], ...] = (_own, _database, _api, _file)
