"""Keep breaker state in Redis, shared by all hosts that use the same ``REDIS_URL``.

Reads and writes one hash per breaker and one set with all names. Each step is one script that the
server runs with its own clock, so it is atomic and independent of the hosts' clocks.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from analytics_worker.breakers.failure_limits import Limits
from analytics_worker.breakers.state_machine import (
    OPENED_BY_HAND,
    Permit,
    Record,
    Refusal,
    StateChange,
    StoreUnreachableError,
)
from analytics_worker.errors import PermanentError

TIMEOUT_SECONDS = 0.5
# One hash slot, for Redis clusters.
KEY_PREFIX = "analytics-worker:{breakers}:"
NAMES_KEY = f"{KEY_PREFIX}names"
CHECK_KEY = f"{KEY_PREFIX}last-check"

_INSTANTS_AND_DURATIONS = frozenset(
    {
        "opened_at",
        "waiting_since",
        "reset_timeout",
        "probe_since",
        "probe_lease",
        "last_failure_at",
    }
)
_TEXTS = frozenset({"state", "probe", "last_error"})


def record_key(name: str) -> str:
    """Return the key of one breaker's hash."""
    return f"{KEY_PREFIX}record:{name}"


class RedisUrlError(PermanentError, ValueError):
    """REDIS_URL can't be used."""

    def __init__(self) -> None:
        """Say what is expected."""
        super().__init__(
            "REDIS_URL is not a valid Redis URL; expected redis://[:password@]host:port/number, "
            "rediss://… or unix:///path, with special characters of the password as %xx"
        )


class RedisStore:
    """A store on a Redis server (5 or newer), connected at the first step."""

    kind = "redis"

    def __init__(self, url: str) -> None:
        """Check the URL; the connection is opened at the first step."""
        self._client = _client(url)

    def __str__(self) -> str:
        """Return the server's address without its password, for messages."""
        options = self._client.get_connection_kwargs()
        address = options.get("path") or f"{options.get('host')}:{options.get('port')}"
        return f"Redis at {address}"

    def acquire(self, name: str, limits: Limits) -> Permit | Refusal:
        """Request a permit for one call."""
        kind, *fields = self._run(name, "acquire", token_hex(8), _ms(limits.probe_lease))
        if kind == "refusal":
            state, wait_ms, opened_at, last_error = fields
            return Refusal(state, wait_ms / 1000, _seconds(opened_at), last_error or None)
        generation, probe, failures, previous_state = fields
        return Permit(self, generation, probe or None, failures > 0, previous_state)

    def succeed(self, name: str, limits: Limits, permit: Permit) -> StateChange:
        """Record a successful call."""
        return StateChange(*self._run(name, "succeed", *_proof(permit), limits.success_threshold))

    def fail(self, name: str, limits: Limits, permit: Permit, error: str) -> StateChange:
        """Record a failed call."""
        timeout = _ms(limits.reset_timeout)
        return StateChange(
            *self._run(name, "fail", *_proof(permit), limits.fail_max, timeout, error)
        )

    def release(self, name: str, permit: Permit) -> None:
        """End a permit without counting a result."""
        self._run(name, "release", *_proof(permit))

    def count_successes(self, name: str, count: int) -> None:
        """Add successful calls that changed no state."""
        self._run(name, "count_successes", count)

    def force(self, name: str, state: str, reset_timeout: float) -> StateChange:
        """Set the breaker's state by an operator's decision."""
        return StateChange(*self._run(name, "force", state, _ms(reset_timeout), OPENED_BY_HAND))

    def load(self, name: str) -> Record:
        """Return the breaker's record."""
        with self._translated_errors():
            fields: Any = self._client.hgetall(record_key(name))
            return _record(fields)

    def load_all(self) -> dict[str, Record]:
        """Return the records of all breakers, by name."""
        with self._translated_errors():
            names: Any = sorted(self._client.smembers(NAMES_KEY))
            pipeline = self._client.pipeline(transaction=False)
            for name in names:
                pipeline.hgetall(record_key(name))
            return dict(zip(names, map(_record, pipeline.execute()), strict=True))

    def check(self) -> None:
        """Prove that the server accepts writes."""
        with self._translated_errors():
            self._client.set(CHECK_KEY, 1)

    @cached_property
    def _script(self) -> Script:
        source = Path(__file__).with_name("transition.lua").read_text()
        return self._client.register_script(source)

    def _run(self, name: str, step: str, *arguments: str | int) -> Any:
        with self._translated_errors():
            return self._script(keys=[record_key(name), NAMES_KEY], args=[name, step, *arguments])

    @contextmanager
    def _translated_errors(self) -> Generator[None]:
        try:
            yield
        except redis.RedisError as error:
            raise StoreUnreachableError(f"{self}: {error or type(error).__name__}") from error


def _client(url: str) -> "redis.Redis":
    try:
        client = redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            # A step that may have happened must not be sent twice.
            retry=Retry(NoBackoff(), 0),
        )
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # refuses options that it does not know
    except (ValueError, TypeError, redis.RedisError):
        raise RedisUrlError from None  # its text can hold a part of the password
    if not _is_complete(url):
        raise RedisUrlError
    return client


def _is_complete(url: str) -> bool:
    """Whether nothing of the URL is ignored, as the rest of a password with special characters would be."""
    parts = urlsplit(url)
    place = parts.path if parts.scheme == "unix" else parts.hostname
    database = "" if parts.scheme == "unix" else parts.path.removeprefix("/")
    return bool(place) and not parts.fragment and (not database or database.isdecimal())


def _proof(permit: Permit) -> tuple[str, int]:
    return permit.probe or "", permit.generation


def _record(fields: dict[str, str]) -> Record:
    slots = Record.__slots__
    return Record(**{name: _value(name, text) for name, text in fields.items() if name in slots})


def _value(name: str, text: str) -> Any:
    if name in _TEXTS:
        return text or None
    return _seconds(text) if name in _INSTANTS_AND_DURATIONS else int(text)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _seconds(milliseconds: str) -> float | None:
    return int(milliseconds) / 1000 if milliseconds else None
