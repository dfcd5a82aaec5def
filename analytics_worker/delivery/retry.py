"""Decide what follows from an attempt to send a message: done, retried later, or given up.

Reads the settings for how often and how long; writes nothing but what the circuit breaker keeps.
"""

import math
import random
from collections.abc import Callable
from typing import Literal, NamedTuple

from analytics_worker.circuit_breaker import CircuitBreaker
from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SendResult, permanent
from analytics_worker.settings import settings
from analytics_worker.text import one_line

FIRST_DELAY_SECONDS = 30.0
LONGEST_DELAY_SECONDS = 900.0
LONGEST_PAUSE_SECONDS = 86_400.0
UNTIL_MAX_AGE = frozenset({404, 410})
"""Answers of a receiver that is being deployed: retried until the maximal age."""
RATE_LIMITED = 429


class NextStep(NamedTuple):
    """What is recorded about an attempt.

    Attributes:
        status: ``pending``: to be retried after ``delay_seconds``.
        attempts: What it costs: 0 where the receiver can't have seen the message.
        error: The reason, unless it was sent.
        delay_seconds: How long the message waits.
        pause_seconds: How long the channel as a whole is left alone; None: the receiver asks for a
            pause and does not say for how long.
    """

    status: Literal["sent", "failed", "pending"]
    attempts: int = 1
    error: str | None = None
    delay_seconds: float = 0
    pause_seconds: float | None = 0


def next_step(result: SendResult, attempts: int, age_seconds: float) -> NextStep:
    """Decide what follows from a result, after so many attempts before it.

    A receiver that can't be reached, or that asks for a pause, costs a message no attempt.
    """
    if result.status == "sent":
        return NextStep("sent")
    detail = one_line(result.detail) or "no reason given"
    wait = requested_seconds(result)
    if result.status == "rate_limited" or result.code == RATE_LIMITED:
        return NextStep("pending", 0, detail, 0, wait or None)
    cost = 0 if result.status == "unreachable" or result.code in UNTIL_MAX_AGE else 1
    if _is_final(result, attempts, age_seconds, cost):
        return NextStep("failed", max(cost, result.status == "permanent"), detail)
    pause = (
        _pause_by_age(age_seconds) if result.code in UNTIL_MAX_AGE else backoff_seconds(attempts)
    )
    return NextStep("pending", cost, detail, max(wait, pause))


def _is_final(result: SendResult, attempts: int, age_seconds: float, cost: int) -> bool:
    if age_seconds >= settings().delivery_max_age_hours * 3600:
        return True
    if result.status == "permanent" and result.code not in UNTIL_MAX_AGE:
        return True
    return cost > 0 and attempts + cost >= settings().delivery_max_attempts


def requested_seconds(result: SendResult) -> float:
    """Return how long the receiver asked to be left alone, within bounds."""
    seconds = result.retry_after_seconds
    return min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS) if math.isfinite(seconds) else 0.0


def _pause_by_age(age_seconds: float) -> float:
    """Return a pause as long as the message has waited, within the bounds of the backoff."""
    return _spread(min(max(age_seconds, FIRST_DELAY_SECONDS), LONGEST_DELAY_SECONDS))


class ServiceDownError(Exception):
    """A failure that the service's circuit breaker counts."""


def attempt(breaker: CircuitBreaker, send: Callable[[], SendResult]) -> SendResult:
    """Send once, and let the breaker know what that says about the service.

    Raises:
        CircuitOpenError: nothing was sent.
    """
    outcome = permanent("not sent")
    try:
        with breaker.calling():
            outcome = _sent(send)
            if outcome.outage:
                raise ServiceDownError  # noqa: TRY301  # a `with` block reports by raising
    except ServiceDownError:
        pass
    return outcome


def _sent(send: Callable[[], SendResult]) -> SendResult:
    try:
        return send()
    except PermanentError as error:
        return permanent(str(error))
    except (ValueError, TypeError, LookupError) as error:  # one odd message must not stop the rest
        return permanent(f"the message can't be sent: {type(error).__name__}")


def backoff_seconds(attempts: int) -> float:
    """Return the pause after so many attempts: doubled each time, capped, spread by a quarter."""
    return _spread(min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(attempts, 16)))


def _spread(seconds: float) -> float:
    return seconds * random.uniform(0.75, 1.0)  # noqa: S311  # no secret
