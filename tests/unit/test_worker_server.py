"""The server's SQLite transactions take the write lock when they begin, and PostgreSQL is left alone."""

import asyncio
import inspect
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest
from prefect.server.database import dependencies
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.schemas.sorting import FlowRunSort
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, temporary_settings
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from analytics_worker.server.app import prepare
from analytics_worker.server.database import (
    CACHED_KB,
    ImmediateSqlite,
    PostgresWithoutJit,
    configure_database,
)


@pytest.fixture(autouse=True)
def prefect_keeps_its_configuration(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(dependencies.MODELS_DEPENDENCIES, "database_config", None)


def read_then_write(configuration: AioSqliteConfiguration, path: Path) -> str:
    """What a transaction meets that reads, is overtaken by another writer, and then writes."""

    async def attempt() -> None:
        engine = await configuration.engine()
        session = await configuration.session(engine)
        try:
            async with session, configuration.begin_transaction(session):
                await session.execute(text("select * from things"))
                overtake(path)
                await session.execute(text("insert into things values (1)"))
        finally:
            await engine.dispose()

    try:
        asyncio.run(attempt())
    except OperationalError as error:
        return str(error)
    return "written"


def overtake(path: Path) -> None:
    other = sqlite3.connect(path, timeout=0.1)
    with closing(other), suppress(sqlite3.OperationalError), other:  # "database is locked"
        other.execute("insert into things values (2)")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "prefect.db"
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode = wal")
    connection.execute("create table things (number)")
    connection.close()
    return path


def test_a_transaction_that_reads_first_is_not_refused(database: Path):
    url = f"sqlite+aiosqlite:///{database}"
    assert "locked" in read_then_write(AioSqliteConfiguration(connection_url=url), database)
    assert read_then_write(ImmediateSqlite(connection_url=url), database) == "written"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("sqlite+aiosqlite:////tmp/x.db", ImmediateSqlite),
        ("postgresql+asyncpg://u@localhost/db", PostgresWithoutJit),
    ],
)
def test_the_database_is_configured_by_its_kind(url, kind):
    with temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: url}):
        configure_database()
    configured = dependencies.MODELS_DEPENDENCIES["database_config"]
    assert type(configured) is kind


def test_prefect_still_begins_transactions_in_that_one_place():
    ours, theirs = ImmediateSqlite.begin_transaction, AioSqliteConfiguration.begin_transaction
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
    assert "BEGIN {mode}" in inspect.getsource(AioSqliteConfiguration.begin_sqlite_stmt)


NEWEST = "select * from flow_run order by coalesce(start_time, expected_start_time) desc limit 50"
SLOTS = """
select work_queue.work_pool_id, count(flow_run.id)
from flow_run join work_queue on flow_run.work_queue_id = work_queue.id
where work_queue.work_pool_id in ('a') and flow_run.state_type in ('PENDING', 'RUNNING')
group by work_queue.work_pool_id
"""


def plans(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        asked = [database.execute(f"explain query plan {sql}") for sql in (NEWEST, SLOTS)]
        return str([answer.fetchall() for answer in asked])


def test_a_long_history_is_not_read_for_the_newest_runs_and_the_slots_of_a_pool(tmp_path: Path):
    path = tmp_path / "prefect.db"
    with temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: f"sqlite+aiosqlite:///{path}"}):
        asyncio.run(prepare())  # nothing is there yet
        made = plans(path)
        asyncio.run(prepare())
    assert "SCAN flow_run USING INDEX ix_analytics_worker__newest_runs" in made
    assert "SEARCH flow_run USING INDEX ix_analytics_worker__slots" in made
    assert "TEMP B-TREE FOR ORDER BY" not in made
    assert plans(path) == made


def test_prefect_still_asks_for_the_newest_runs_that_way():
    wanted = FlowRunSort.START_TIME_DESC.as_sql_sort()
    compiled = str(next(iter(wanted)).compile())
    assert compiled == "coalesce(flow_run.start_time, flow_run.expected_start_time) DESC"


def test_a_connection_keeps_little_of_the_database(database: Path):
    configuration = ImmediateSqlite(connection_url=f"sqlite+aiosqlite:///{database}")

    async def cached() -> int:
        engine = await configuration.engine()
        async with engine.connect() as connection:
            found = await connection.execute(text("pragma cache_size"))
            kept = int(found.scalar_one())
        await engine.dispose()
        return kept

    assert asyncio.run(cached()) == -CACHED_KB
