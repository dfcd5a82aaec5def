"""Create the breaker store of this process: Redis where ``REDIS_URL`` is set, else a SQLite file.

Reads the settings on first use; opens nothing.
"""

from functools import lru_cache
from pathlib import Path

from analytics_worker.breakers.fail_open import FailOpenStore
from analytics_worker.breakers.sqlite import SqliteStore
from analytics_worker.settings import settings


def configured_store() -> FailOpenStore:
    """Return the store of the settings, the same object as long as they do not change."""
    current = settings()
    url = current.redis_url
    return _store(url.get_secret_value() if url else None, current.state_dir)


@lru_cache
def _store(redis_url: str | None, state_dir: Path) -> FailOpenStore:
    if redis_url is None:
        return FailOpenStore(SqliteStore(state_dir / "breakers.sqlite"))
    from analytics_worker.breakers.redis import RedisStore  # noqa: PLC0415  # 6 MB, for few

    return FailOpenStore(RedisStore(redis_url))
