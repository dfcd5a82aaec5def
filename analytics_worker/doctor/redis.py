"""Check the Redis of the circuit breakers: its address, the login, and whether it accepts writes.

Writes one key of the worker's own there, as the health check does.
"""

from collections.abc import Iterator

from analytics_worker.breakers.state_machine import StoreUnreachableError
from analytics_worker.doctor.findings import Finding
from analytics_worker.settings import settings

FIX = (
    "Start Redis, or correct REDIS_URL; breakers of several hosts count for each process meanwhile."
)


def breaker_store() -> Iterator[Finding]:
    """Check that Redis can be reached and accepts writes, if it is used."""
    if (url := settings().redis_url) is None:
        yield Finding("redis", "REDIS_URL", "ok", "not set: breakers are kept on this host")
        return
    from analytics_worker.breakers.redis import RedisStore  # noqa: PLC0415  # 6 MB, for few

    store = RedisStore(url.get_secret_value())
    try:
        store.check()
    except StoreUnreachableError as error:
        yield Finding("redis", "REDIS_URL", "fail", str(error), FIX)
    else:
        yield Finding("redis", "REDIS_URL", "ok", f"{store} accepts writes")
