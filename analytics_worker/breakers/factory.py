"""Which store this process uses: Redis where ``REDIS_URL`` is set, else a file of this host.

Reads the settings, when first asked; opens nothing.
"""

from functools import lru_cache
from pathlib import Path

from analytics_worker.breakers.fail_open import FailOpenStore
from analytics_worker.breakers.sqlite import SqliteStore
from analytics_worker.settings import settings


def chosen_store() -> FailOpenStore:
    """The store that the settings name: the same object as long as they are the same."""
    chosen = settings()
    url = chosen.redis_url
    return _store(url.get_secret_value() if url else None, chosen.state_dir)


@lru_cache
def _store(redis_url: str | None, state_dir: Path) -> FailOpenStore:
    if redis_url is None:
        return FailOpenStore(SqliteStore(state_dir / "breakers.sqlite"))
    from analytics_worker.breakers.redis import RedisStore  # noqa: PLC0415  # 6 MB, for few

    return FailOpenStore(RedisStore(redis_url))
