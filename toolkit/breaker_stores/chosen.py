"""Which store this process uses: Redis where ``REDIS_URL`` is set, else a file of this host.

Reads the settings, when first asked; opens nothing.
"""

from functools import lru_cache
from pathlib import Path

from toolkit.breaker_stores.fail_open import FailOpenStore
from toolkit.breaker_stores.sqlite import SqliteStore
from toolkit.settings import settings


def chosen_store() -> FailOpenStore:
    """The store that the settings name: the same object as long as they are the same."""
    chosen = settings()
    url = chosen.redis_url
    return _store(url.get_secret_value() if url else None, chosen.state_dir)


@lru_cache
def _store(redis_url: str | None, state_dir: Path) -> FailOpenStore:
    if redis_url is None:
        return FailOpenStore(SqliteStore(state_dir / "breakers.sqlite"))
    from toolkit.breaker_stores.redis import RedisStore  # noqa: PLC0415  # 6 MB, for few

    return FailOpenStore(RedisStore(redis_url))
