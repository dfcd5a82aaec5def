"""The Prefect server with SQLite transactions that can't be refused: ``python -m analytics_worker.server``.

On SQLite, Prefect begins its write transactions DEFERRED. One that reads first and writes later is
refused (503) when another one wrote in between, and no busy timeout helps. Every client then waits
two seconds or more. Here they take the write lock when they begin, and wait for it. On PostgreSQL
the server is Prefect's, unchanged. On both, unpermitted requests are refused before Prefect sees them
(analytics_worker/server/request_guard.py), and automations connect to permitted addresses only
(analytics_worker/server/automation_actions.py). Reads and writes only what Prefect's server does, extends
deadlines that passed during its downtime (analytics_worker/server/deadlines_after_downtime.py) and creates indexes (analytics_worker/server/sqlite_indexes.py).
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from prefect.server.api.server import create_app
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.dependencies import set_database_config
from prefect.settings import get_current_settings
from sqlalchemy import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction
from sqlalchemy.pool import ConnectionPoolEntry
from typing_extensions import override

from analytics_worker.errors import PermanentError
from analytics_worker.host_port import is_loopback
from analytics_worker.server.automation_actions import restrict_actions
from analytics_worker.server.deadlines_after_downtime import extend_heartbeat_deadlines
from analytics_worker.server.request_guard import RequestGuard
from analytics_worker.server.request_limit import limit_api_requests
from analytics_worker.server.request_rules import Rules
from analytics_worker.server.sqlite_indexes import create_indexes
from analytics_worker.server.unauthorized import UnauthorizedExplanation
from analytics_worker.settings import settings, user_variables
from analytics_worker.stack_address import PROCESS_MARKER
from analytics_worker.transport.address_filter import configured_allow_list

CACHED_KB = 2_000
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


def configure_database() -> None:
    """Choose the database configuration for the connection URL of Prefect's settings."""
    if _is_sqlite():
        set_database_config(ImmediateSqlite(connection_url=_database_url()))


def _database_url() -> str:
    secret = get_current_settings().server.database.connection_url
    return secret.get_secret_value() if secret else ""


def _is_sqlite() -> bool:
    return make_url(_database_url()).get_backend_name() == "sqlite"


async def prepare() -> None:
    """Prepare the server before it accepts requests."""
    await extend_heartbeat_deadlines()
    if _is_sqlite():
        await create_indexes()


def app(port: int | None = None) -> RequestGuard:
    """Factory for ``uvicorn --factory analytics_worker.server.app:app``; the port is that of Prefect's settings."""
    configure_database()
    restrict_actions()
    rules = _rules(port or get_current_settings().server.api.port)
    served = create_app()
    limit_api_requests(served, served.api_app)  # pyright: ignore[reportAttributeAccessIssue]
    stack_id = user_variables().get(PROCESS_MARKER, "")
    return RequestGuard(UnauthorizedExplanation(served), rules, stack_id)


def _rules(port: int) -> Rules:
    api = get_current_settings().server.api
    return Rules.of(api.host, port, settings().server_allowed_hosts, api.base_path)


def check(port: int) -> None:
    """Refuse settings that would let any client use the server.

    Raises:
        PermanentError: they are named in the message.
    """
    api = get_current_settings().server.api
    _rules(port)
    configured_allow_list()
    login = None if api.auth_string is None else api.auth_string.get_secret_value()
    if login == "":  # Prefect takes it for a login, and leaves its websockets open
        raise PermanentError("PREFECT_SERVER_API_AUTH_STRING is empty; expected user:password.")
    if login is None and not is_loopback(api.host):
        raise PermanentError(
            f"PREFECT_SERVER_API_HOST={api.host} lets other hosts reach the API and run commands"
            " as this user: set PREFECT_SERVER_API_AUTH_STRING=user:password, too."
        )


def main() -> None:
    """Serve API and UI until a signal stops it: ``python -m analytics_worker.server PORT``."""
    port = int(sys.argv[1])
    try:
        check(port)
    except PermanentError as error:
        sys.exit(f"error: {error}")
    configure_database()
    asyncio.run(prepare())
    uvicorn.run(
        app(port),
        host=get_current_settings().server.api.host,
        port=port,
        loop="asyncio",  # uvloop connects without the audit events that restrict_actions needs
        log_level="warning",
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,  # the websockets of UI and workers never end by themselves
    )


if __name__ == "__main__":
    main()
