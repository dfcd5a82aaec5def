"""Decide what follows from an attempt to send a message: sent, retried later, or failed.

Reads the limits in the settings; writes nothing but the state of the circuit breaker.
"""

import math
import random
from collections.abc import Callable
from typing import Literal, NamedTuple

from analytics_worker.circuit_breaker import CircuitBreaker
from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SendResult, permanent, refused
from analytics_worker.settings import settings
from analytics_worker.text import one_line

FIRST_DELAY_SECONDS = 30.0
MAX_DELAY_SECONDS = 900.0
MAX_PAUSE_SECONDS = 86_400.0
UNTIL_MAX_AGE = frozenset({404, 410})
"""Status codes of a receiver that is being deployed: retried until the maximal age."""
RATE_LIMITED = 429


class NextStep(NamedTuple):
    """The record of an attempt.

    Attributes:
        status: ``pending``: retried after ``delay_seconds``.
        attempts: How many attempts are counted: 0 if the receiver can't have got the message.
        error: The reason, unless it was sent.
        delay_seconds: How long the message waits.
        pause_seconds: How long the channel as a whole pauses; None: the receiver requests a pause
            without a duration.
    """

    status: Literal["sent", "failed", "pending"]
    attempts: int = 1
    error: str | None = None
    delay_seconds: float = 0
    pause_seconds: float | None = 0


def next_step(result: SendResult, attempts: int, age_seconds: float) -> NextStep:
    """Decide what follows from a result, after so many attempts before it.

    No attempt is counted if the receiver can't be reached, or if it requests a pause.
    """
    if result.status == "sent":
        return NextStep("sent")
    detail = one_line(result.detail) or "no reason given"
    requested = requested_seconds(result)
    if result.status == "rate_limited" or result.code == RATE_LIMITED:
        return NextStep("pending", 0, detail, 0, requested or None)
    counted_attempts = 0 if result.status == "unreachable" or result.code in UNTIL_MAX_AGE else 1
    if _is_final(result, attempts, age_seconds, counted_attempts):
        return NextStep("failed", max(counted_attempts, result.status == "permanent"), detail)
    backoff = (
        _pause_by_age(age_seconds) if result.code in UNTIL_MAX_AGE else backoff_seconds(attempts)
    )
    return NextStep("pending", counted_attempts, detail, max(requested, backoff))


def _is_final(result: SendResult, attempts: int, age_seconds: float, counted_attempts: int) -> bool:
    if age_seconds >= settings().delivery_max_age_hours * 3600:
        return True
    if result.status == "permanent" and result.code not in UNTIL_MAX_AGE:
        return True
    return counted_attempts > 0 and attempts + counted_attempts >= settings().delivery_max_attempts


def requested_seconds(result: SendResult) -> float:
    """Return the pause that the receiver requested, within bounds."""
    seconds = result.retry_after_seconds
    return min(max(seconds, 0.0), MAX_PAUSE_SECONDS) if math.isfinite(seconds) else 0.0


def _pause_by_age(age_seconds: float) -> float:
    """Return a pause as long as the message has waited, within the bounds of the backoff."""
    return _jittered(min(max(age_seconds, FIRST_DELAY_SECONDS), MAX_DELAY_SECONDS))


class ServiceDownError(Exception):
    """A failure that the service's circuit breaker counts."""


def attempt(breaker: CircuitBreaker, send: Callable[[], SendResult]) -> SendResult:
    """Send once, and report an outage of the service to the breaker.

    Raises:
        CircuitOpenError: nothing was sent.
    """
    result = permanent("not sent")
    try:
        with breaker.calling():
            result = _send_safely(send)
            if result.outage:
                raise ServiceDownError  # noqa: TRY301  # a `with` block reports by raising
    except ServiceDownError:
        pass
    return result


def _send_safely(send: Callable[[], SendResult]) -> SendResult:
    try:
        return send()
    except PermanentError as error:
        return refused(error)
    except (
        ValueError,
        TypeError,
        LookupError,
    ) as error:  # one invalid message must not stop the others
        return permanent(f"the message can't be sent: {type(error).__name__}")


def backoff_seconds(attempts: int) -> float:
    """Return the pause after so many attempts: doubled each time, capped, with a jitter of a quarter."""
    return _jittered(min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(attempts, 16)))


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.75, 1.0)  # noqa: S311  # no secret
