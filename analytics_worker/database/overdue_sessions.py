"""Recognize SQL that ignores its cancellation: a comment in front of it names it and its deadline.

Some functions of PostgreSQL never look for a cancellation. Whoever runs such a statement again while
an earlier execution still computes takes one more session of the server each time. Reads
pg_stat_activity, where a role sees its own sessions; writes nothing.
"""

import hashlib
import re
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from analytics_worker.errors import PermanentError

_MARK = re.compile(r"/\*([0-9a-f]{16}) (\d+)\*/")
_RUNNING = """select query, pid from pg_stat_activity
where state = 'active' and usename = session_user and pid <> pg_backend_pid() and query like '/*%'"""


def digest(sql: str) -> str:
    """Return what identifies the SQL of a rule or report, without its parameters."""
    return hashlib.sha256(sql.encode(errors="replace")).hexdigest()[:16]


def mark(sql: str, allowed: timedelta) -> str:
    """Return the comment for an execution that has to end within this time from now."""
    return f"/*{digest(sql)} {int(time.time() + allowed.total_seconds())}*/ "


def overdue_sessions(connection: Any) -> dict[str, int]:
    """Return the server process of each SQL, by digest, that runs although its time is over."""
    with connection.cursor() as cursor:
        cursor.execute(_RUNNING)
        running = [(_MARK.match(query), pid) for query, pid in cursor.fetchall()]
    now = time.time()
    return {found[1]: pid for found, pid in running if found and int(found[2]) < now}


def refuse_overdue(sql: str, overdue: Mapping[str, int]) -> None:
    """Refuse SQL of which an earlier execution still computes.

    Raises:
        PermanentError: it does; names the server's process.
    """
    if pid := overdue.get(digest(sql)):
        raise PermanentError(
            f"an earlier execution ignores its cancellation and still computes in process {pid} of"
            " the database server; it is not run again before that has ended"
        )
