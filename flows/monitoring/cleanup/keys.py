"""Delete unused keys in Redis: circuit breakers of unused services, results of the Celery worker.

Reads and deletes keys of REDIS_URL. A breaker's key expires when it is closed, has no consecutive failures
and failed last before the retention period. The next call of its service creates it again. A Celery result
expires when it was not used for that long, regardless of its own expiry. Safe to repeat.
"""

from collections.abc import Iterator
from datetime import datetime

import redis

from analytics_worker.breakers.redis import NAMES_KEY, RedisStore, record_key
from analytics_worker.breakers.state_machine import Record
from analytics_worker.circuit_breaker import ExternalCircuitBreakers
from analytics_worker.settings import settings

CELERY_RESULTS = "celery-task-meta-*"
SCAN_COUNT = 500
TIMEOUT_SECONDS = 5


def expired_keys(before: datetime) -> Iterator[str]:
    """Yield the names of expired keys; none without REDIS_URL."""
    url = settings().redis_url
    if url is None:
        return
    for name, breaker in RedisStore(url.get_secret_value()).load_all().items():
        if name.startswith(ExternalCircuitBreakers.PREFIX) and _is_unused(breaker, before):
            yield record_key(name)
    idle = datetime.now(before.tzinfo) - before
    with _client() as client:
        for key in client.scan_iter(match=CELERY_RESULTS, count=SCAN_COUNT):
            if int(client.object("idletime", key) or 0) > idle.total_seconds():
                yield key


def delete_keys(keys: list[str]) -> None:
    """Delete keys in one round trip; also remove breakers from the set of names."""
    prefix = record_key("")
    with _client() as client:
        pipeline = client.pipeline()
        for key in keys:
            pipeline.delete(key)
            if key.startswith(prefix):
                pipeline.srem(NAMES_KEY, key.removeprefix(prefix))
        pipeline.execute()


def _is_unused(breaker: Record, before: datetime) -> bool:
    idle = breaker.state == "closed" and not breaker.failures
    return (
        idle
        and breaker.last_failure_at is not None
        and breaker.last_failure_at < before.timestamp()
    )


def _client() -> "redis.Redis":
    secret = settings().redis_url
    url = secret.get_secret_value() if secret else ""
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=TIMEOUT_SECONDS)
