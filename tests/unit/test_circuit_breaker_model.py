"""Memory and the SQLite file behave like the reference, for any sequence of events."""

import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine
from typing_extensions import override

from analytics_worker.breakers.memory import MemoryStore
from analytics_worker.breakers.sqlite import SqliteStore
from analytics_worker.breakers.state_machine import BreakerStore
from tests.support.breaker_model import NAME, BreakerMachine, MakeOlder


class MemoryMachine(BreakerMachine):
    @override
    def open_store(self) -> tuple[BreakerStore, MakeOlder]:
        store = MemoryStore()

        def make_older(seconds: float) -> None:
            record = store.load(NAME)
            store._records[NAME] = replace(
                record,
                waiting_since=record.waiting_since - seconds,
                probe_since=record.probe_since - seconds,
            )

        return store, make_older


class SqliteMachine(BreakerMachine):
    @override
    def open_store(self) -> tuple[BreakerStore, MakeOlder]:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "breakers.sqlite"

        def make_older(seconds: float) -> None:
            with sqlite3.connect(path) as connection:
                connection.execute(
                    "update breaker set waiting_since = waiting_since - ?,"
                    " probe_since = probe_since - ?",
                    (seconds, seconds),
                )
            connection.close()

        return SqliteStore(path), make_older

    @override
    def teardown(self) -> None:
        self.folder.cleanup()


@pytest.mark.parametrize("machine", [MemoryMachine, SqliteMachine], ids=["memory", "sqlite"])
def test_follows_the_reference(machine: type[RuleBasedStateMachine]):
    case = machine.TestCase
    case.settings = settings(
        max_examples=60,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    case("runTest").runTest()
