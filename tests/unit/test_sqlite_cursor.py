"""Statements of the server's SQLite database take one step each, and return what SQLAlchemy's own cursor returns."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy import text
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from analytics_worker.server import sqlite_cursor
from analytics_worker.server.database import ImmediateSqlite


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "prefect.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table things (number integer primary key)")
    return path


@pytest.fixture(params=[True, False], ids=["one step", "as SQLAlchemy has it"])
def one_step(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    for name in ("cursor", "rollback"):
        monkeypatch.setattr(AsyncAdapt_aiosqlite_connection, name, ORIGINAL[name])
    if request.param:
        sqlite_cursor.use_one_step_cursors.cache_clear()
        sqlite_cursor.use_one_step_cursors()
    return request.param


ORIGINAL = {
    "cursor": AsyncAdapt_aiosqlite_connection.cursor,
    "rollback": AsyncAdapt_aiosqlite_connection.rollback,
}


def with_engine(
    path: Path, scenario: Callable[[AioSqliteConfiguration, AsyncEngine], Awaitable[Any]]
) -> Any:
    async def run() -> Any:
        configuration = ImmediateSqlite(connection_url=f"sqlite+aiosqlite:///{path}")
        engine = await configuration.engine()
        try:
            return await scenario(configuration, engine)
        finally:
            await engine.dispose()

    return asyncio.run(run())


@pytest.mark.usefixtures("one_step")
def test_rows_counts_and_errors_are_the_same(database: Path):
    async def scenario(_: AioSqliteConfiguration, engine: AsyncEngine) -> list[object]:
        async with engine.connect() as connection:
            inserted = await connection.execute(text("insert into things values (7), (8)"))
            last = await connection.execute(text("insert into things values (9)"))
            found = await connection.execute(text("select number as n from things"))
            none = await connection.execute(text("select * from things where number = 1"))
            changed = await connection.execute(
                text("update things set number = :new where number = :old returning number"),
                {"new": 10, "old": 9},
            )
            with pytest.raises(IntegrityError, match="UNIQUE"):
                await connection.execute(text("insert into things values (7)"))
            with pytest.raises(OperationalError, match="no such table"):
                await connection.execute(text("select * from missing"))
            return [
                inserted.rowcount,
                last.lastrowid,
                [*found.keys(), *found.scalars()],
                none.all(),
                changed.scalars().all(),
            ]

    assert with_engine(database, scenario) == [2, 9, ["n", 7, 8, 9], [], [10]]


def test_a_read_is_one_message_to_the_thread_of_its_connection(
    database: Path, one_step: bool, monkeypatch: pytest.MonkeyPatch
):
    send, sent = aiosqlite.Connection._execute, []

    async def counted(self: Any, function: Any, *arguments: Any, **options: Any) -> Any:
        sent.append(function)
        return await send(self, function, *arguments, **options)

    async def scenario(configuration: AioSqliteConfiguration, engine: AsyncEngine) -> int:
        for _ in range(2):  # the first one opens the connection
            sent.clear()
            async with await configuration.session(engine) as session:
                await session.execute(text("select * from things"))
        return len(sent)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    messages = with_engine(database, scenario)
    assert messages == 1 if one_step else messages > 1


@pytest.mark.usefixtures("one_step")
def test_a_transaction_whose_begin_is_cancelled_holds_no_lock(database: Path):
    other = sqlite3.connect(database, timeout=30, isolation_level=None, check_same_thread=False)

    async def scenario(configuration: AioSqliteConfiguration, engine: AsyncEngine) -> None:
        async def write() -> None:
            async with (
                await configuration.session(engine) as session,
                configuration.begin_transaction(session),
            ):
                await session.execute(text("insert into things values (1)"))

        other.execute("begin immediate")
        waiting = asyncio.create_task(write())
        await asyncio.sleep(0.5)  # until its thread waits for the lock
        waiting.cancel()
        await asyncio.sleep(0)
        other.execute("commit")
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        await write()

    with closing(other):
        with_engine(database, scenario)
        assert other.execute("select number from things").fetchall() == [(1,)]
