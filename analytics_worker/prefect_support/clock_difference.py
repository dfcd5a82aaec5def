"""Compute from the date of an answer by how much the clocks of this host and of the Prefect server differ.

Reads and writes nothing.
"""

from contextlib import suppress
from email.utils import mktime_tz, parsedate_tz

WARN_SECONDS, MAX_SECONDS = 5.0, 20.0
"""From 20 s, a run can be declared crashed before its lease ends (docs/decisions/fencing.md)."""
DATE_PRECISION_SECONDS = 2.0
"""A date has whole seconds, and servers renew the one that they send once a second."""


def seconds_ahead(date: str, sent: float, received: float) -> float | None:
    """Return how far this host's clock is ahead at least, negative if it is behind; None if there is no valid date.

    Args:
        date: The header ``Date`` of the answer.
        sent: When the request was sent, by this host's clock.
        received: When the answer was received, by this host's clock.
    """
    with suppress(ValueError, OverflowError):
        if parsed := parsedate_tz(date):
            server = mktime_tz(parsed)
            return max(0.0, sent - server - DATE_PRECISION_SECONDS) + min(0.0, received - server)
    return None
