"""Say why the analytics database is not reached, and how to fix it. Reads the settings; writes nothing."""

import psycopg2

from analytics_worker.database.libpq_url import connection_problem
from analytics_worker.errors import is_permanent
from analytics_worker.settings import settings
from analytics_worker.stack_address import stack_variables
from analytics_worker.text import one_line

MIGRATE = "`analytics-worker migrate` creates the role, or sets its password."


def problem(error: BaseException) -> str:
    """Return the error in one line; libpq repeats it for each attempt."""
    reason = getattr(error, "orig", None) or error
    text = str(reason)
    if isinstance(reason, psycopg2.OperationalError) and reason.pgcode is None:
        text = connection_problem(text, short=False)
    return one_line(text) or type(error).__name__


def warehouse_fix(error: BaseException) -> str:
    """Return what to do about a database that the owner does not reach."""
    url = settings().database_url
    if settings().database_block:
        return "Correct the block that DATABASE_BLOCK names."
    if url is None:
        return "`make up`, or set DATABASE_URL."
    if url.get_secret_value() == stack_variables().get("DATABASE_URL"):
        return "`make up`, which starts it again."
    return "Correct DATABASE_URL." if is_permanent(error) else "Start it, or correct DATABASE_URL."


def reader_fix(name: str | None, error: BaseException) -> str:
    """Return what to do about a database that a reader does not reach."""
    if name is not None:
        return f"Correct {name} in READER_DATABASE_URLS."
    if settings().reader_database_url:
        return "Correct READER_DATABASE_URL."
    return MIGRATE if is_permanent(error) else warehouse_fix(error)
