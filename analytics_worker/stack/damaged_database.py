"""Set a damaged database of the Prefect server aside, so that the stack starts with a new one.

Renames files below PREFECT_HOME of the stack, and deletes nothing. Call while no server runs.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from analytics_worker.stack.server_database_template import DATABASE_VARIABLES

CHECKED_BYTES = 200_000_000
"""Size up to which every page is checked: about a second."""
FILES = ("", "-wal", "-shm")


def set_damaged_aside(home: Path, variables: Mapping[str, str]) -> list[str]:
    """Rename the database if it is damaged; a line about it, for people."""
    if any(DATABASE_VARIABLES.fullmatch(name) for name in variables):
        return []  # it is somewhere else
    database = home / "prefect.db"
    problem = _problem(database)
    if problem is None:
        return []
    kept = f"prefect.db.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for suffix in FILES:
        file = database.with_name(f"prefect.db{suffix}")
        if file.exists():
            file.rename(file.with_name(f"{kept}{suffix}"))
    line = (
        f"{database} is damaged ({problem}): kept as {kept}, and a new one was created, without the"
        " earlier runs. The warehouse and its schema ops are not affected."
    )
    return [line]


def _problem(database: Path) -> str | None:
    if not database.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute("select count(*) from sqlite_master").fetchone()
            if database.stat().st_size > CHECKED_BYTES:
                return None
            (result,) = connection.execute("pragma quick_check(1)").fetchone()
    except sqlite3.OperationalError:  # locked or not readable: no sign of damage
        return None
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if result == "ok" else " ".join(str(result).split())[:200]
