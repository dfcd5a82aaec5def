"""What follows from an attempt to send a message: done, once more later, or given up.

Reads the settings for how often; writes nothing but what the circuit breaker of the service keeps.
The outboxes of alerts and reports share it, so that both treat a server in the same way.
"""

import random
import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from analytics_worker.circuit_breaker import CircuitBreaker
from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SendResult, permanent
from analytics_worker.settings import settings

FIRST_DELAY_SECONDS = 30.0
LONGEST_DELAY_SECONDS = 900.0
WELL_KNOWN_PORTS = {25, 80, 443, 465, 587}


class Settlement(NamedTuple):
    """What is written down about an attempt."""

    status: Literal["sent", "failed", "pending"]
    tries: int = 1
    error: str | None = None
    delay_seconds: float = 0


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


def settlement_of(outcome: SendResult, attempts: int) -> Settlement:
    """What follows from an outcome after so many attempts before it.

    A service that can't be reached costs a message no attempt: it waits until the service is back.
    """
    if outcome.status == "sent":
        return Settlement("sent")
    tries = 0 if outcome.status == "unreachable" else 1
    is_last = attempts + tries >= settings().alert_delivery_attempts
    if outcome.status == "permanent" or (tries and is_last):
        return Settlement("failed", tries, outcome.detail)
    wait_seconds = max(backoff_seconds(attempts), outcome.retry_after_seconds)
    return Settlement("pending", tries, outcome.detail, wait_seconds)


def backoff_seconds(attempts: int) -> float:
    """The pause after so many attempts: doubled each time, capped, spread by a quarter."""
    pause = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(attempts, 16))
    return pause * random.uniform(0.75, 1.0)  # noqa: S311  # no secret


def service_name(host: str, port: int) -> str:
    """A circuit breaker for each server: the host, with the port if that is an unusual one."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", host).strip("-.")[:90] or "host"
    return plain if port in WELL_KNOWN_PORTS else f"{plain}-{port}"
