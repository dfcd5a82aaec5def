"""Recognize SQL that still runs although it was abandoned, by a comment before it.

Some functions of PostgreSQL never check for a cancellation. Each further execution of such a statement would
occupy one more session of the server. Reads pg_stat_activity, in which a role sees its own sessions; writes
nothing. Only the server's clock counts, so that the clocks of hosts need not agree.
"""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from analytics_worker.database.query_canceller import longest_duration
from analytics_worker.errors import PermanentError

_OVERDUE = r"""select found[1], pid from (
    select pid, query_start, regexp_match(query, '^/\*([0-9a-f]{16}) ([0-9]{1,9})\*/') as found
    from pg_stat_activity
    where
        state = 'active' and usename = session_user and datname = current_database()
        and pid <> pg_backend_pid()
) as running
where query_start + make_interval(secs => cast(found[2] as integer)) < clock_timestamp()"""


class StillRunningError(PermanentError):
    """An abandoned execution of the same SQL still runs."""


def digest(sql: str) -> str:
    """Return what identifies the SQL of a rule or report, without its parameters."""
    return hashlib.sha256(sql.encode(errors="replace")).hexdigest()[:16]


def mark(sql: str, timeout: timedelta) -> str:
    """Return the comment for an execution: its digest, and the seconds until it is abandoned."""
    return f"/*{digest(sql)} {int(longest_duration(timeout).total_seconds())}*/ "


def overdue_sessions(connection: Any) -> dict[str, int]:
    """Return the server process of each abandoned execution, by digest of its SQL."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERDUE)
        return dict(cursor.fetchall())


def refuse_overdue(sql: str, overdue: Mapping[str, int]) -> None:
    """Refuse SQL of which an abandoned execution still runs.

    Raises:
        StillRunningError: it does; names the server's process.
    """
    if overdue and (pid := overdue.get(digest(sql))):
        raise StillRunningError(
            f"an earlier execution ignores its cancellation and still computes in process {pid} of"
            " the database server; it is not run again before that has ended"
        )
