"""The Prefect server of the local stack: ``python -m stack.server PORT``.

One process (the command line starts two), bound to this host. Writes Prefect's SQLite database below
PREFECT_HOME. Its write transactions take SQLite's lock at their start: Prefect's begin DEFERRED, and
one that reads first and writes later is refused (503) whenever another one wrote in between.
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from prefect.server.api.server import create_app
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

HOST = "127.0.0.1"


def write_immediately() -> None:
    """Let every SQLite transaction that may write begin IMMEDIATE."""
    begin = AioSqliteConfiguration.begin_transaction

    @asynccontextmanager
    async def begin_transaction(
        self: AioSqliteConfiguration,
        session: AsyncSession,
        with_for_update: bool = False,  # noqa: ARG001  # Prefect's signature
    ) -> AsyncGenerator[AsyncSessionTransaction]:
        async with begin(self, session, with_for_update=True) as transaction:
            yield transaction

    AioSqliteConfiguration.begin_transaction = begin_transaction


def main() -> None:
    """Serve API and UI until told to stop."""
    write_immediately()
    uvicorn.run(
        create_app(),
        host=HOST,
        port=int(sys.argv[1]),
        log_level="warning",
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,  # the UI's and the workers' websockets never end by themselves
    )


if __name__ == "__main__":
    main()
