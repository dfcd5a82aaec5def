"""Compare the revision of schema ops with that of this code, and wait for its migration.

Opens a connection for each look; writes nothing. Without SQLAlchemy and Alembic, which the worker's process does without.
"""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any

import psycopg2

from analytics_worker import systemd
from analytics_worker.database.libpq_url import address, libpq_parameters
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from analytics_worker.text import one_line

_ASSIGNMENT = re.compile(r'^(revision|down_revision) = "(.+)"$', re.MULTILINE)
REVISIONS = Path(__file__).parents[1] / "migrations" / "versions"
POLL_SECONDS = 2.0
NEWER_FIX = (
    "Update this checkout to the version that migrated it; if it is another application's, rename it"
    " (ALTER SCHEMA ops RENAME TO …)"
)


class NewerSchemaError(PermanentError):
    """Schema ops is at a revision that this code does not know; the message says what to do."""


@cache
def known_revisions() -> dict[str, str | None]:
    """Return the revisions of this code with the one before each, as their files name them."""
    texts = [file.read_text() for file in REVISIONS.glob("[0-9]*.py")]
    found = [dict(_ASSIGNMENT.findall(text)) for text in texts]
    return {each["revision"]: each.get("down_revision") for each in found}


def newest_revision() -> str:
    """Return the revision that no other one follows."""
    (newest,) = known_revisions().keys() - set(known_revisions().values())
    return newest


def stored_revision(arguments: Mapping[str, str]) -> str | None:
    """Return the revision of a database; None if it was never migrated.

    Raises:
        psycopg2.Error: the database is unavailable, or the role can't read it.
    """
    options: dict[str, Any] = {"connect_timeout": settings().connect_timeout_seconds}
    options.update(arguments)
    opened = psycopg2.connect(**options)  # noqa: TID251  # outside pool and breaker, to look at it
    with closing(opened) as connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('ops.alembic_version') is not null")
        if cursor.fetchone() != (True,):
            return None
        cursor.execute("select version_num from ops.alembic_version")
        row = cursor.fetchone()
    return row and str(row[0])


def is_newer(revision: str | None) -> bool:
    """Whether a revision is of a newer version of the worker, or of another application."""
    return revision is not None and revision not in known_revisions()


def newer_message(revision: str | None) -> str:
    """Return what to say of a revision that this code does not know."""
    return (
        f"The schema ops is at revision {revision!r:.80}, which this version of the worker does not"
        f" know; nothing was changed. {NEWER_FIX}"
    )


def wait_for_schema(log: Callable[[str], None]) -> None:
    """Wait until schema ops has the revision of this code; say so in one line.

    A database that is unavailable is no reason to wait: there are flows that notify of it.

    Raises:
        NewerSchemaError: the database has a revision that this code does not know.
    """
    arguments = _arguments()
    if arguments is None:
        return
    try:
        found = _checked_revision(arguments)
    except psycopg2.Error as error:
        log(f"The revision of schema ops was not read: {one_line(str(error))}")
        return
    if found != newest_revision():
        log(_waiting(found, address(arguments)))
    while found != newest_revision():
        systemd.notify(systemd.READY, systemd.ALIVE)  # else what starts it would wait, too
        time.sleep(POLL_SECONDS)  # noqa: TID251  # another process migrates
        with suppress(psycopg2.Error):
            found = _checked_revision(arguments)


def _checked_revision(arguments: Mapping[str, str]) -> str | None:
    found = stored_revision(arguments)
    if is_newer(found):
        raise NewerSchemaError(newer_message(found))
    return found


def _arguments() -> Mapping[str, str] | None:
    """Return the parameters of libpq of the database, if a variable has them."""
    chosen = settings()
    urls = {
        "DATABASE_DIRECT_URL": chosen.database_direct_url,
        "DATABASE_URL": None if chosen.database_block else chosen.database_url,
    }
    found = ((name, url.get_secret_value()) for name, url in urls.items() if url is not None)
    return next((libpq_parameters(url, name) for name, url in found), None)


def _waiting(revision: str | None, where: str) -> str:
    is_at = f"is at revision {revision}" if revision else "does not exist"
    return (
        f"Schema ops in {where} {is_at}; this version needs {newest_revision()}."
        " No runs are claimed until `analytics-worker migrate` has run, here or on another host."
    )
