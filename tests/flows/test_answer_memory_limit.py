"""Long messages of the server: the statement has an error, and the process keeps its memory."""

import resource
from pathlib import Path

import pytest

from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.database.answer_memory_limit import (
    STREAM_MB,
    bounded_answer,
    bounded_series,
)
from analytics_worker.database.reader_sessions import UserSqlError, reader_session
from flows.reports.formats import TableQuery, export, fetch_rows, open_snapshot
from tests.flows.alerts.rules import rule, store, tick
from tests.support.attacks import attack
from tests.support.sql import query

pytestmark = pytest.mark.usefixtures("environment")

LONG_MESSAGE = "select repeat('x', 100000000)::int as value"
MAX_GROWTH_MB = 600


def log_since(postgres, position: int) -> str:
    """Return what the server logged since it had so many bytes; other tests share the server."""
    with postgres.log_file.open("rb") as log:
        log.seek(position)
        return log.read().decode(errors="replace")


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


@attack(
    by="author",
    what="SQL that fails with a message of 100 MB, which the driver holds ten times",
    answer="that rule's error; the others are evaluated, and the process keeps within its memory",
)
@pytest.mark.parametrize("megabytes", [100, 150])
def test_a_rule_with_a_long_message_fails_alone(postgres, megabytes):
    before, limit = peak_mb(), resource.getrlimit(resource.RLIMIT_DATA)
    logged = postgres.log_file.stat().st_size
    message = LONG_MESSAGE.replace("100000000", f"{megabytes}000000")
    store(rule("long", message), rule("well"))
    counts = tick(0)
    assert (counts.evaluated, counts.errors, counts.firing) == (2, 1, 1)
    (error,) = query("select error from ops.alert_evaluations where error is not null")
    assert error.startswith(("the server's message is too long to be read", "invalid input"))
    assert peak_mb() - before < MAX_GROWTH_MB
    assert resource.getrlimit(resource.RLIMIT_DATA) == limit
    assert db_circuit_breaker.fail_counter == 0
    assert "xxxx" not in log_since(postgres, logged)


@pytest.mark.parametrize("name", ["csv", "xlsx", "parquet", "json"])
def test_a_report_with_a_long_message_fails_alone(name, tmp_path: Path):
    broken, well = TableQuery("Long", LONG_MESSAGE), TableQuery("Well", "select 1 as value")
    for each in (broken, well):
        with open_snapshot() as snapshot:
            if each is broken:
                with pytest.raises(UserSqlError, match=r"Long: .*(too long|xxx)"):
                    export(snapshot, [each], tmp_path / each.title, name)
            else:
                export(snapshot, [each], tmp_path / each.title, name)
    assert (tmp_path / "Well").stat().st_size


def test_a_tile_with_a_long_message_fails_alone():
    with (
        pytest.raises(UserSqlError, match=r"Long: (invalid|the server)") as raised,
        open_snapshot() as snapshot,
    ):
        fetch_rows(snapshot, TableQuery("Long", LONG_MESSAGE), 1)
    assert len(str(raised.value)) < 3000


def memory_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_DATA)[0]


def test_a_series_keeps_the_bound_until_it_ends_or_a_statement_fails():
    unbounded = memory_limit()
    with reader_session() as session, bounded_series():
        session.fetch("select 1")
        bound = memory_limit()
        assert bound != unbounded
        session.fetch("select 2")
        assert memory_limit() != unbounded
        with pytest.raises(UserSqlError):
            session.fetch("select 'x'::int")
        assert memory_limit() == unbounded
        session.fetch("select 3")
        assert memory_limit() != unbounded
        with bounded_answer(STREAM_MB):
            assert memory_limit() > bound
    assert memory_limit() == unbounded


def test_a_statement_outside_a_series_leaves_no_bound():
    unbounded = memory_limit()
    with reader_session() as session:
        session.fetch("select 1")
        assert memory_limit() == unbounded
