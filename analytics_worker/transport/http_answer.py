"""Read the answer of an HTTP service: its beginning, and how long it asks to wait.

Reads only the response; writes nothing.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore

MAX_ANSWER_BYTES = 64 * 1024
MAX_RETRY_AFTER_SECONDS = 3600.0


def read_answer(response: httpcore.Response) -> bytes:
    """Return the beginning of the answer; a longer one costs the connection."""
    answer = b""
    for chunk in response.iter_stream():
        answer += chunk
        if len(answer) > MAX_ANSWER_BYTES:
            break
    return answer[:MAX_ANSWER_BYTES]


def retry_after(response: httpcore.Response) -> float:
    """Return the seconds that the service asks to wait, an hour at most."""
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
