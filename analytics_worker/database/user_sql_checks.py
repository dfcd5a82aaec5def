"""Check the limits that rules and reports share: the timeout of their SQL and its reader.

Reads the settings; writes nothing.
"""

from collections.abc import Iterator
from datetime import timedelta

from analytics_worker.definitions.durations import format_duration
from analytics_worker.definitions.validation_messages import did_you_mean
from analytics_worker.settings import settings

Problem = tuple[str, str]
"""A field, and what is wrong with it."""


def limit_problems(
    timeout: timedelta, max_timeout: timedelta, reader: str | None
) -> Iterator[Problem]:
    """Yield the mistakes in the limits of the SQL."""
    if not timeout:
        yield "timeout", "timeout 0s is too short; expected more than 0s"
    if timeout > max_timeout:
        longest = format_duration(max_timeout)
        yield (
            "timeout",
            f"timeout {format_duration(timeout)} is too long; expected {longest} or less",
        )
    readers = settings().reader_database_urls
    if reader is not None and reader not in readers:
        known = did_you_mean(reader, readers) or "; it is empty"
        yield "reader", f"no reader {reader!r} found in READER_DATABASE_URLS{known}"
