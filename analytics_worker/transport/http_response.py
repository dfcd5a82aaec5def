"""Read the response of a service within bounds.

Reads and writes nothing but the connection.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore

MAX_RESPONSE_BYTES = 64 * 1024
MAX_RETRY_AFTER_SECONDS = 3600.0
RETRYABLE_STATUSES = frozenset({408, 425, 429})


def read_body(response: httpcore.Response) -> bytes:
    """Return the beginning of the response; the connection of a longer one is closed."""
    body = b""
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            break
    return body[:MAX_RESPONSE_BYTES]


def retry_after_seconds(response: httpcore.Response) -> float:
    """Return the pause that the service requests in seconds, an hour at most."""
    values = (value for name, value in response.headers if name.lower() == b"retry-after")
    value = next(values, b"").decode("latin-1")
    return min(max(_seconds(value), 0), MAX_RETRY_AFTER_SECONDS)


def _seconds(value: str) -> float:
    if value.isdecimal():
        return float(value)
    try:
        return (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return 0
