"""How the Prefect server uses its database.

On SQLite, Prefect begins its write transactions DEFERRED. One that reads first and writes later is
refused (503) when another one wrote in between, and no busy timeout helps. Every client then waits
two seconds or more. Here they take the write lock when they begin, and wait for it. On PostgreSQL, sessions
compile no queries: for the graph of a run that takes a second or more, and its execution a few milliseconds.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from prefect.server.database.configurations import (
    AioSqliteConfiguration,
    AsyncPostgresConfiguration,
)
from prefect.server.database.dependencies import set_database_config
from prefect.settings import get_current_settings
from sqlalchemy import event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, AsyncSessionTransaction
from sqlalchemy.pool import ConnectionPoolEntry
from typing_extensions import override

from analytics_worker.server.sqlite_cursor import use_one_step_cursors

CACHED_KB = 1_000
"""Cache of each connection. Prefect's 80 MB only copy pages that the kernel has in memory anyway."""


class ImmediateSqlite(AioSqliteConfiguration):
    """Prefect's SQLite configuration whose transactions begin IMMEDIATE."""

    @override
    def setup_sqlite(self, conn: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        """Let a connection keep less of a long history: there are up to fifteen."""
        super().setup_sqlite(conn, record)
        cursor = conn.cursor()
        cursor.execute(f"pragma cache_size = {-CACHED_KB}")
        cursor.close()

    @asynccontextmanager
    async def begin_transaction(
        self,
        session: AsyncSession,
        with_for_update: bool = False,  # noqa: ARG002  # Prefect's signature
    ) -> AsyncGenerator[AsyncSessionTransaction, None]:
        """Take the write lock now, not at the first write."""
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            yield transaction


class PostgresWithoutJit(AsyncPostgresConfiguration):
    """Prefect's PostgreSQL configuration whose sessions compile no queries."""

    @override
    async def engine(self) -> AsyncEngine:
        """Return Prefect's engine, which it keeps for each event loop."""
        engine = await super().engine()
        if not event.contains(engine.sync_engine, "connect", _disable_jit):
            event.listen(engine.sync_engine, "connect", _disable_jit)
        return engine


def _disable_jit(connection: Any, _record: ConnectionPoolEntry) -> None:
    """Change the setting outside of a transaction, whose rollback would undo it."""

    async def disable(driver: Any) -> None:
        await driver.execute("set jit = off")

    connection.run_async(disable)


def configure_database() -> None:
    """Choose the database configuration for the connection URL of Prefect's settings."""
    kind = ImmediateSqlite if is_on_sqlite() else PostgresWithoutJit
    if kind is ImmediateSqlite:
        use_one_step_cursors()
    set_database_config(kind(connection_url=_database_url()))


def is_on_sqlite() -> bool:
    """Whether the settings name a SQLite file."""
    return make_url(_database_url()).get_backend_name() == "sqlite"


def _database_url() -> str:
    secret = get_current_settings().server.database.connection_url
    return secret.get_secret_value() if secret else ""
