"""Run Prefect servers to measure: on SQLite, and on PostgreSQL if this host has one with contrib."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import sqlalchemy as sa

from tests.support.contrib_postgres import ContribPostgres, installed, server_on
from tests.support.processes import Server


@dataclass(frozen=True)
class MeasuredServer:
    """A running server, its processes, and its database."""

    kind: str
    api: Server
    roots: tuple[int, ...]
    database_url: str

    def processes(self) -> list[psutil.Process]:
        """Return the processes of the server and of its PostgreSQL."""
        roots = map(psutil.Process, self.roots)
        return [process for root in roots for process in (root, *root.children(recursive=True))]

    def engine(self) -> sa.Engine:
        """Return an engine for the server's own database."""
        return sa.create_engine(self.database_url)


def kinds() -> tuple[str, ...]:
    """Return the kinds that can be measured on this host."""
    return ("SQLite", "PostgreSQL") if installed() else ("SQLite",)


@contextmanager
def measured_server(kind: str, folder: Path) -> Generator[MeasuredServer]:
    """Run a server of that kind until the block ends."""
    if kind == "SQLite":
        with Server(folder / "server") as api:
            url = f"sqlite:///{api.home / 'prefect.db'}"
            yield MeasuredServer(kind, api, (api.pid,), url)
        return
    with (
        ContribPostgres(folder / "pg", durable=True) as postgres,
        server_on(postgres, folder / "server") as api,
    ):
        yield MeasuredServer(kind, api, (api.pid, postgres.pid), postgres.plain_url)
