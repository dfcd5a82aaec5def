"""Breakers on a real Redis follow the reference, and survive outages of the server."""

import logging
import time
import traceback

import pytest
from hypothesis import HealthCheck, settings
from typing_extensions import override

from analytics_worker.breakers.fail_open import FailOpenStore
from analytics_worker.breakers.redis import RedisStore, record_key
from analytics_worker.breakers.state_machine import BreakerStore
from analytics_worker.circuit_breaker import CircuitBreaker, CircuitOpenError
from tests.support.attacks import attack
from tests.support.breaker_model import NAME, BreakerMachine, MakeOlder
from tests.support.lossy_proxy import LossyProxy
from tests.support.redis_server import RedisServer


def breaker_on(server: RedisServer, pause_seconds: float = 0.0) -> CircuitBreaker:
    store = FailOpenStore(RedisStore(server.url), pause_seconds)
    return CircuitBreaker("service", fail_max=3, reset_timeout=600, store=store)


def fail() -> None:
    raise ConnectionError


def trip(breaker: CircuitBreaker) -> None:
    for _ in range(breaker.fail_max):
        with pytest.raises(ConnectionError):
            breaker.call(fail)
    with pytest.raises(CircuitOpenError):
        breaker.call(fail)


def test_follows_the_reference(redis_server: RedisServer):
    client = redis_server.client()
    store = RedisStore(redis_server.url)

    def make_older(seconds: float) -> None:
        for instant in ("waiting_since", "probe_since"):
            if client.hexists(record_key(NAME), instant):
                client.hincrby(record_key(NAME), instant, -round(seconds * 1000))

    class RedisMachine(BreakerMachine):
        @override
        def open_store(self) -> tuple[BreakerStore, MakeOlder]:
            client.flushdb()
            return store, make_older

    case = RedisMachine.TestCase
    case.settings = settings(
        max_examples=60,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    case("runTest").runTest()


@pytest.mark.parametrize("outage", ["kill", "freeze"])
def test_while_redis_is_unavailable_breakers_count_in_memory(
    redis_server: RedisServer, outage: str, caplog: pytest.LogCaptureFixture
):
    breaker = breaker_on(redis_server)
    breaker.call(lambda: None)
    getattr(redis_server, outage)()
    trip(breaker)
    assert breaker.get_stats()["store"] == "memory"
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    redis_server.thaw() if outage == "freeze" else redis_server.start()
    breaker.call(lambda: None)
    stats = breaker.get_stats()
    assert (stats["store"], stats["state"]) == ("redis", "closed")
    trip(breaker)


def test_a_server_that_hangs_does_not_hold_up_every_call(redis_server: RedisServer):
    breaker = breaker_on(redis_server, pause_seconds=600)
    redis_server.freeze()
    started = time.monotonic()
    for _ in range(200):  # 100 s, if each of them waited for the server
        breaker.call(lambda: None)
    assert time.monotonic() - started < 4


def test_a_step_that_may_have_happened_is_not_sent_again(redis_server: RedisServer):
    way = redis_server.socket.with_name("way.sock")
    with LossyProxy(way, redis_server.socket) as losing:
        store = FailOpenStore(RedisStore(f"unix://{way}"), pause_seconds=600)
        breaker = CircuitBreaker("service", fail_max=3, reset_timeout=600, store=store)

        def fail_and_lose_the_reply() -> None:
            losing.lose_one()
            fail()

        with pytest.raises(ConnectionError):
            breaker.call(fail_and_lose_the_reply)
        assert breaker.get_stats()["store"] == "memory"
    assert RedisStore(redis_server.url).load("service").failures_total == 1


def test_a_restarted_server_gets_the_script_again(redis_server: RedisServer):
    breaker = breaker_on(redis_server)
    trip(breaker)
    redis_server.stop()
    redis_server.start()
    trip(breaker)
    assert breaker.get_stats()["store"] == "redis"


def test_a_server_that_refuses_writes_is_not_used(redis_server: RedisServer):
    breaker = breaker_on(redis_server)
    redis_server.client().replicaof("127.0.0.1", "1")
    trip(breaker)
    assert breaker.get_stats()["store"] == "memory"
    redis_server.client().replicaof("NO", "ONE")
    breaker.call(lambda: None)
    assert breaker.get_stats()["store"] == "redis"


def test_redis_url_selects_redis(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    fresh = CircuitBreaker("fresh")  # successes of the others may wait to be handed over
    fresh.call(lambda: None)
    assert fresh.get_stats()["store"] == "redis"
    assert redis_server.client().hget(record_key("fresh"), "successes_total") == "1"


@attack(
    by="network",
    what="a Redis that refuses connections or is unavailable",
    answer="no password in the log",
)
def test_no_message_holds_the_password(caplog: pytest.LogCaptureFixture):
    with RedisServer(password="hunter2") as server:
        trip(breaker_on(server))
        wrong = FailOpenStore(RedisStore(server.url.replace("hunter2", "hunter3")))
    gone = breaker_on(server)
    for breaker in (CircuitBreaker("x", store=wrong), gone):
        breaker.call(lambda: None)
    assert len(caplog.records) == 2
    assert "hunter" not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2@h/d",
        "redis://:hunt/er2@h:6379",
        "h:1",
        "nonsense",
        "redis://:r@d:is/%#1@10.0.0.1:6379/0",
        "redis://:12#hunter2@h:6379/0",
        "redis://:12/hunter2@h:6379/0",
        "redis://h:6379/zero",
        "redis://h:6379?passphrase=hunter2",
        "rediss://h:6379?ssl_cert_reqs=hunter2",
        "unix://",
    ],
)
def test_an_invalid_redis_url_is_refused_without_repeating_it(url: str):
    with pytest.raises(ValueError, match="REDIS_URL is not a valid Redis URL") as raised:
        RedisStore(url)
    assert "hunt" not in "".join(traceback.format_exception(raised.value))
