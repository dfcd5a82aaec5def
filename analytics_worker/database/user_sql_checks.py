"""What rules and reports have in common: how long their SQL may run, and as whom.

Reads the settings; writes nothing.
"""

from collections.abc import Iterator
from datetime import timedelta

from analytics_worker.definitions.durations import format_duration
from analytics_worker.definitions.validation_messages import instead
from analytics_worker.settings import settings

Problem = tuple[str, str]
"""Field, and what is wrong with it."""


def limit_problems(timeout: timedelta, longest: timedelta, reader: str | None) -> Iterator[Problem]:
    """Mistakes in the limits of the SQL."""
    if not timeout:
        yield "timeout", "timeout has to be longer than 0s"
    if timeout > longest:
        yield (
            "timeout",
            f"timeout {format_duration(timeout)} is too long; write {format_duration(longest)} or less",
        )
    readers = settings().reader_database_urls
    if reader is not None and reader not in readers:
        known = instead(reader, readers) or "; there is none yet"
        yield "reader", f"there is no reader {reader!r} in READER_DATABASE_URLS{known}"
