"""Breaker state in Redis, shared by all hosts that use the same ``REDIS_URL``.

Reads and writes one hash per breaker and one set with all names. Each step is one script run by
the server with the server's clock, so it is atomic and the clocks of the hosts do not matter.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from analytics_worker.breakers.state_machine import (
    OPENED_BY_HAND,
    Change,
    Limits,
    Permit,
    Record,
    Refusal,
    StoreUnreachableError,
)

TIMEOUT_SECONDS = 0.5
# One hash slot, should the server be a cluster.
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
    """The hash of one breaker."""
    return f"{KEY_PREFIX}record:{name}"


class RedisStore:
    """Keeps records on a Redis server (5 or newer); nothing is opened before the first step."""

    kind = "redis"

    def __init__(self, url: str) -> None:
        """Remember where the server is; a URL that Redis cannot use is refused at once."""
        self._client = _client(url)

    def __str__(self) -> str:
        """Name the server without its password, for messages."""
        options = self._client.get_connection_kwargs()
        place = options.get("path") or f"{options.get('host')}:{options.get('port')}"
        return f"Redis at {place}"

    def acquire(self, name: str, limits: Limits) -> Permit | Refusal:
        """Ask to make one call."""
        kind, *answer = self._run(name, "acquire", token_hex(8), _ms(limits.probe_lease))
        if kind == "refusal":
            state, left, opened_at, last_error = answer
            return Refusal(state, left / 1000, _seconds(opened_at), last_error or None)
        generation, probe, failures, found = answer
        return Permit(self, generation, probe or None, failures > 0, found)

    def succeed(self, name: str, limits: Limits, permit: Permit) -> Change:
        """Record that the call worked."""
        return Change(*self._run(name, "succeed", *_proof(permit), limits.success_threshold))

    def fail(self, name: str, limits: Limits, permit: Permit, error: str) -> Change:
        """Record that the call failed."""
        timeout = _ms(limits.reset_timeout)
        return Change(*self._run(name, "fail", *_proof(permit), limits.fail_max, timeout, error))

    def release(self, name: str, permit: Permit) -> None:
        """Give a permit back without a verdict."""
        self._run(name, "release", *_proof(permit))

    def count_successes(self, name: str, count: int) -> None:
        """Add calls that worked and changed nothing else."""
        self._run(name, "count_successes", count)

    def force(self, name: str, state: str, reset_timeout: float) -> Change:
        """Put the breaker into a state by hand."""
        return Change(*self._run(name, "force", state, _ms(reset_timeout), OPENED_BY_HAND))

    def load(self, name: str) -> Record:
        """The breaker's record."""
        with self._reaching():
            fields: Any = self._client.hgetall(record_key(name))
            return _record(fields)

    def load_all(self) -> dict[str, Record]:
        """Every breaker that was ever written."""
        with self._reaching():
            names: Any = sorted(self._client.smembers(NAMES_KEY))
            pipeline = self._client.pipeline(transaction=False)
            for name in names:
                pipeline.hgetall(record_key(name))
            return dict(zip(names, map(_record, pipeline.execute()), strict=True))

    def check(self) -> None:
        """Prove that the server takes writes."""
        with self._reaching():
            self._client.set(CHECK_KEY, 1)

    @cached_property
    def _script(self) -> Script:
        source = Path(__file__).with_name("transition.lua").read_text()
        return self._client.register_script(source)

    def _run(self, name: str, step: str, *arguments: str | int) -> Any:
        with self._reaching():
            return self._script(keys=[record_key(name), NAMES_KEY], args=[name, step, *arguments])

    @contextmanager
    def _reaching(self) -> Generator[None]:
        try:
            yield
        except redis.RedisError as error:
            raise StoreUnreachableError(f"{self}: {error or type(error).__name__}") from error


def _client(url: str) -> "redis.Redis":
    try:
        return redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            # A step that may have happened must not be sent twice.
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:  # its text may hold a part of the password
        raise ValueError(
            "REDIS_URL is not a Redis address: write redis://[:password@]host:port/number, "
            "rediss://… or unix:///path; special characters of a password as %xx"
        ) from None


def _proof(permit: Permit) -> tuple[str, int]:
    return permit.probe or "", permit.generation


def _record(fields: dict[str, str]) -> Record:
    known = Record.__slots__
    return Record(**{name: _value(name, text) for name, text in fields.items() if name in known})


def _value(name: str, text: str) -> Any:
    if name in _TEXTS:
        return text or None
    return _seconds(text) if name in _INSTANTS_AND_DURATIONS else int(text)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _seconds(milliseconds: str) -> float | None:
    return int(milliseconds) / 1000 if milliseconds else None
