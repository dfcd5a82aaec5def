"""Answer 409 to a client that creates what exists already, and write no error into the log for it.

Prefect answers so, too, and logs a traceback: two workers, or two commands, that start together create the same
object, and the one that is later uses the other's. Changes Prefect's server in this process.
"""

from fastapi import Request
from fastapi.responses import JSONResponse
from prefect.server.api import server
from psycopg2.errorcodes import UNIQUE_VIOLATION

SQLITE_UNIQUE = frozenset({"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})
CONFLICT = 409


def answer_conflicts() -> None:
    """Treat duplicates as the client's; other violations of integrity stay errors of the server."""
    report = server.integrity_exception_handler

    async def answer(request: Request, error: Exception) -> JSONResponse:
        if not _is_duplicate(error):
            return await report(request, error)
        return JSONResponse({"detail": "An object with this name exists already."}, CONFLICT)

    server.integrity_exception_handler = answer


def _is_duplicate(error: Exception) -> bool:
    cause = getattr(error, "orig", None)
    name = getattr(cause, "sqlite_errorname", None)
    return name in SQLITE_UNIQUE or getattr(cause, "sqlstate", None) == UNIQUE_VIOLATION
