"""A run sends its first heartbeat some seconds after its start, so that a short one sends none after its end."""

import threading
from contextlib import contextmanager
from typing import Any

import pytest
from prefect import flow_engine

from analytics_worker.worker import prefect_internals


class Engine:
    """What the heartbeats need of Prefect's engine."""

    def __init__(self) -> None:
        self.sent = threading.Semaphore(0)

    def _emit_flow_run_heartbeat(self, resource: Any, related: Any) -> None:
        del resource, related
        self.sent.release()


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch):
    """Start an engine whose thread sends a heartbeat at once, as Prefect's does."""
    threads: list[threading.Thread] = []

    @contextmanager
    def prompt(engine: Engine, join_on_exit: bool = True):
        assert not join_on_exit
        send = engine._emit_flow_run_heartbeat
        threads.append(threading.Thread(target=send, args=({}, [])))
        threads[-1].start()
        yield

    monkeypatch.setattr(flow_engine, "_send_heartbeats", prompt)

    def begin(first_after_seconds: float) -> Any:
        prefect_internals.adjust_heartbeats(first_after_seconds)
        return flow_engine._send_heartbeats

    yield begin
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()


def test_a_short_run_sends_none(start):
    engine = Engine()
    with start(3600)(engine):
        pass
    assert not engine.sent.acquire(timeout=0.2)


def test_a_longer_run_sends_one(start):
    engine = Engine()
    with start(0.01)(engine):
        assert engine.sent.acquire(timeout=30)


def test_the_engine_has_what_is_delayed():
    assert hasattr(flow_engine.BaseFlowRunEngine, "_emit_flow_run_heartbeat")
