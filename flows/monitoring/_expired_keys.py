"""Keys in Redis that nobody uses any more: breakers of forgotten services, results of the Celery worker.

Reads and deletes with REDIS_URL. A breaker's key goes when it is closed, has no failures in a row and
failed last before the retention; it is made again when the service is called again. A Celery result
goes when nothing has touched it for that long, whatever expiry it has. Safe to repeat.
"""

from collections.abc import Iterator
from datetime import datetime

import redis

from analytics_worker.breakers.redis import NAMES_KEY, RedisStore, record_key
from analytics_worker.breakers.state_machine import Record
from analytics_worker.circuit_breaker import ExternalCircuitBreakers
from analytics_worker.settings import settings

CELERY_RESULTS = "celery-task-meta-*"
PAGE = 500
TIMEOUT_SECONDS = 5


def expired_keys(before: datetime) -> Iterator[str]:
    """Their names; none without REDIS_URL."""
    url = settings().redis_url
    if url is None:
        return
    for name, breaker in RedisStore(url.get_secret_value()).load_all().items():
        if name.startswith(ExternalCircuitBreakers.PREFIX) and _forgotten(breaker, before):
            yield record_key(name)
    idle = datetime.now(before.tzinfo) - before
    with _client() as client:
        for key in client.scan_iter(match=CELERY_RESULTS, count=PAGE):
            if int(client.object("idletime", key) or 0) > idle.total_seconds():
                yield key


def delete_keys(keys: list[str]) -> None:
    """Delete them in one round trip, breakers with their entry in the list of names."""
    prefix = record_key("")
    with _client() as client:
        pipeline = client.pipeline()
        for key in keys:
            pipeline.delete(key)
            if key.startswith(prefix):
                pipeline.srem(NAMES_KEY, key.removeprefix(prefix))
        pipeline.execute()


def _forgotten(breaker: Record, before: datetime) -> bool:
    quiet = breaker.state == "closed" and not breaker.failures
    return (
        quiet
        and breaker.last_failure_at is not None
        and breaker.last_failure_at < before.timestamp()
    )


def _client() -> "redis.Redis":
    secret = settings().redis_url
    url = secret.get_secret_value() if secret else ""
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=TIMEOUT_SECONDS)
