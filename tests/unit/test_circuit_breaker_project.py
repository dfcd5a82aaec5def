"""The project's own breakers have pybreaker's interface, and importing them opens nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pybreaker
import pytest
from typing_extensions import override

from analytics_worker.breakers import state_machine
from analytics_worker.breakers.memory import MemoryStore
from analytics_worker.circuit_breaker import (
    CircuitBreaker,
    ExternalCircuitBreakers,
    breaker_stats,
    db_circuit_breaker,
    dbt_circuit_breaker,
    external_circuit_breaker,
)
from tests.support.attacks import attack


class Recorder(pybreaker.CircuitBreakerListener):
    def __init__(self) -> None:
        self.seen: list[str] = []

    @override
    def before_call(self, cb, func, *args, **kwargs):
        self.seen.append(f"before {func.__name__}{args}")

    @override
    def success(self, cb: pybreaker.CircuitBreaker) -> None:
        self.seen.append("success")

    @override
    def failure(self, cb: pybreaker.CircuitBreaker, exc: BaseException) -> None:
        self.seen.append(type(exc).__name__)

    @override
    def state_change(self, cb, old_state, new_state):
        assert old_state is not None
        self.seen.append(f"{old_state.name} -> {new_state.name}")


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def test_limits_are_the_registrys():
    assert db_circuit_breaker.limits[:2] == (5, 60)
    assert dbt_circuit_breaker.limits[:2] == (3, 120)
    assert external_circuit_breaker("slack").limits[:2] == (3, 120)


def test_each_service_has_one_breaker_of_its_own():
    assert external_circuit_breaker("slack") is external_circuit_breaker("slack")
    assert external_circuit_breaker("slack") is not external_circuit_breaker("hooks.example.com")


@pytest.mark.parametrize("name", ["", "https://hooks.example.com/T0/s3cret", "a b", "x" * 101])
@attack(
    by="API caller",
    what="a URL with a token as the name of a circuit breaker, which metrics show",
    answer="refused and not repeated",
)
def test_a_service_name_that_may_hold_a_secret_is_refused_and_not_repeated(name: str):
    with pytest.raises(ValueError, match="host name") as raised:
        external_circuit_breaker(name)
    assert "s3cret" not in str(raised.value)


def test_statistics_cover_every_breaker_that_was_used(state_dir: Path):
    assert [stats["name"] for stats in breaker_stats()] == ["database", "dbt"]
    services = ExternalCircuitBreakers(fail_max=1, reset_timeout=600)
    with pytest.raises(OSError, match="down"), services("slack").calling():
        raise OSError("down")
    fresh = CircuitBreaker("fresh")  # successes of the others may wait to be handed over
    fresh.call(lambda: None)
    assert (state_dir / "breakers.sqlite").is_file()
    assert {stats["name"] for stats in breaker_stats()} == {
        "database",
        "dbt",
        "external:slack",
        "fresh",
    }
    assert services.get_stats()["slack"]["state"] == "open"
    stats = fresh.get_stats()
    assert stats["successes_total"] == 1
    assert stats["store"] == "sqlite"
    assert json.loads(json.dumps(stats)) == stats


def test_listeners_are_notified_as_in_pybreaker():
    recorder = Recorder()
    breaker = CircuitBreaker("x", fail_max=1, listeners=[recorder], store=MemoryStore())
    with pytest.raises(ZeroDivisionError):
        breaker.call(divmod, 1, 0)
    breaker.force_open(0)
    breaker.call(divmod, 1, 1)
    assert recorder.seen == [
        "before divmod(1, 0)",
        "ZeroDivisionError",
        "closed -> open",
        "open -> half-open",
        "before divmod(1, 1)",
        "success",
        "half-open -> closed",
    ]


def test_pybreakers_own_controls_work():
    breaker = CircuitBreaker("x", store=MemoryStore())
    assert isinstance(breaker, pybreaker.CircuitBreaker)
    breaker.open()
    assert breaker.state.name == breaker.current_state == "open"
    with pytest.raises(pybreaker.CircuitBreakerError, match="opened by hand"):
        breaker.call(print)
    breaker.half_open()
    assert breaker.current_state == "half-open"
    breaker.close()
    assert (breaker.current_state, breaker.fail_counter, breaker.success_counter) == (
        "closed",
        0,
        0,
    )


def test_several_probes_can_be_required():
    breaker = CircuitBreaker("x", success_threshold=2, store=MemoryStore())
    breaker.half_open()
    breaker.call(lambda: None)
    assert (breaker.current_state, breaker.success_counter) == ("half-open", 1)
    breaker.call(lambda: None)
    assert breaker.current_state == "closed"


def test_importing_opens_nothing_and_reads_no_settings(tmp_path: Path):
    program = (
        "import analytics_worker.circuit_breaker, analytics_worker.settings as s;"
        "assert s.settings.cache_info().currsize == 0"
    )
    state_dir = str(tmp_path / "state")
    subprocess.run([sys.executable, "-c", program], check=True, env={"STATE_DIR": state_dir})
    assert list(tmp_path.iterdir()) == []


def test_successes_are_complete_once_a_process_has_ended(state_dir: Path):
    program = (
        "from analytics_worker.circuit_breaker import db_circuit_breaker as b\n"
        "for _ in range(25): b.call(int)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"STATE_DIR": str(state_dir)})
    assert db_circuit_breaker.get_stats()["successes_total"] == 25


def test_states_are_called_as_in_pybreaker():
    ours = (state_machine.STATE_CLOSED, state_machine.STATE_HALF_OPEN, state_machine.STATE_OPEN)
    assert ours == (pybreaker.STATE_CLOSED, pybreaker.STATE_HALF_OPEN, pybreaker.STATE_OPEN)
