"""Leave the look at promises out while nothing of them can change.

Reads definitions/trust.yml, definitions/calendar.yml, the stored reports and the last look; writes the look. A
promise changes only with its definition, when a day of it begins, and while a day is awaited.
"""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from analytics_worker.calendars.working_days import calendar_path
from analytics_worker.completeness.trust_file import trust_path
from analytics_worker.database.connections import run_sql

LONGEST = timedelta(minutes=5)
"""How long no look is taken at most."""


class Look(NamedTuple):
    """Whether a look is due, and the definitions that it would be at."""

    is_due: bool
    fingerprint: str


def look_at(connection: Connection, now: datetime) -> Look:
    """Return whether a look is due."""
    last = run_sql(connection, "monitoring/promise_look")[0]
    fingerprint = _hash(last["reports"].encode(), *map(_content, (trust_path(), calendar_path())))
    is_same = last["fingerprint"] == fingerprint
    return Look(not (is_same and last["looked_at"] <= now < last["next_at"]), fingerprint)


def save_look(connection: Connection, look: Look, now: datetime, next_at: datetime) -> None:
    """Store the look."""
    run_sql(
        connection,
        "monitoring/save_promise_look",
        fingerprint=look.fingerprint,
        now=now,
        next_at=next_at,
    )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:  # reading its definitions reports it
        return type(error).__name__.encode()


def _hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()
