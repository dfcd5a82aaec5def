"""Define the circuit breakers of this project: the database, dbt, and named external services.

Reads and writes the breakers' records in Redis (``REDIS_URL``) or in ``breakers.sqlite`` of the
state directory, shared by all processes. Importing opens nothing; the store is opened at the first
guarded call::

    with db_circuit_breaker.calling(): ...
    external_circuit_breaker("slack").call(post, message)
"""

import re

from analytics_worker.breakers.breaker import CircuitBreaker
from analytics_worker.breakers.failure_limits import (
    DATABASE_LIMITS,
    DBT_LIMITS,
    EXTERNAL_SERVICE_LIMITS,
)
from analytics_worker.breakers.guarded_call import CircuitOpenError
from analytics_worker.breakers.state_machine import StoreUnreachableError
from analytics_worker.breakers.statistics import DATABASE, DBT, BreakerStats, breaker_stats
from analytics_worker.errors import OutageError, is_database_outage

__all__ = [
    "BreakerStats",
    "CircuitBreaker",
    "CircuitOpenError",
    "ExternalCircuitBreakers",
    "StoreUnreachableError",
    "breaker_stats",
    "db_circuit_breaker",
    "dbt_circuit_breaker",
    "external_circuit_breaker",
]

_SERVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class ExternalCircuitBreakers:
    """One breaker per external service, by name: ``external_circuit_breaker("slack")``.

    All have the same limits. Their shared names start with ``external:``.
    """

    PREFIX = "external:"

    def __init__(self, *, fail_max: int, reset_timeout: float) -> None:
        """Define the limits; breakers are created on first use."""
        self.fail_max = fail_max
        self.reset_timeout = reset_timeout
        self._by_service: dict[str, CircuitBreaker] = {}

    def __call__(self, service: str) -> CircuitBreaker:
        """Return the breaker of this service, the same object every time."""
        existing = self._by_service.get(service)
        if existing is not None:
            return existing
        if not _SERVICE_NAME.fullmatch(service):  # it may be a URL with a secret: not repeated
            raise ValueError(
                "not a valid name of an external service; expected at most 100 letters, digits, dots, "
                "hyphens and underscores (its host name, for instance), not a URL"
            )
        breaker = CircuitBreaker(
            f"{self.PREFIX}{service}", fail_max=self.fail_max, reset_timeout=self.reset_timeout
        )
        return self._by_service.setdefault(service, breaker)

    def get_stats(self) -> dict[str, BreakerStats]:
        """Return state and counts by service name, for every service that any process has called.

        Raises StoreUnreachableError.
        """
        return {
            stats["name"].removeprefix(self.PREFIX): stats
            for stats in breaker_stats()
            if stats["name"].startswith(self.PREFIX)
        }


def _not_an_outage(error: BaseException) -> bool:
    """Whether the error, such as a lock timeout or a failed check, is not an outage of the database."""
    return not is_database_outage(error)


def _no_evidence_of_an_outage(error: BaseException) -> bool:
    """Whether the error, such as a KeyError or a deadlock, does not say that dbt can't work at all.

    All projects share the breaker: an error of one of them must not refuse the runs of the others.
    """
    return not isinstance(error, OutageError)


db_circuit_breaker = CircuitBreaker(DATABASE, **DATABASE_LIMITS._asdict(), exclude=[_not_an_outage])
dbt_circuit_breaker = CircuitBreaker(
    DBT, **DBT_LIMITS._asdict(), exclude=[_no_evidence_of_an_outage]
)
external_circuit_breaker = ExternalCircuitBreakers(**EXTERNAL_SERVICE_LIMITS._asdict())
