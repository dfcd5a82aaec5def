"""A PostgreSQL with contrib, which a Prefect server needs (pg_trgm) and the embedded one lacks.

Uses the programs that this host has installed, on a directory of its own. Where there are none, the
tests that need it are skipped.
"""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

import psycopg2
import pytest
from sqlalchemy import URL

from analytics_worker.stack.postgres.account import choose_account, environment
from analytics_worker.stack.postgres.server import NOT_DURABLE
from tests.support.processes import Server
from tests.support.wait_until import wait_until

MISSING = (
    "no PostgreSQL with contrib (pg_trgm) on this host: a Prefect server on PostgreSQL needs one"
    " (Debian: apt install postgresql postgresql-contrib)"
)
USER = "prefect"


def installed() -> Path | None:
    """Folder above ``bin`` of an installed PostgreSQL that has pg_trgm."""
    on_path = shutil.which("pg_config")
    candidates = [Path(on_path)] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_config"), reverse=True)
    return next(
        (candidate.parents[1] for candidate in map(_home_of, candidates) if candidate), None
    )


def _home_of(pg_config: Path) -> Path | None:
    """The server program beside this pg_config, if it has pg_trgm."""

    def ask(what: str) -> Path:
        output = subprocess.run([pg_config, what], check=True, capture_output=True, text=True)
        return Path(output.stdout.strip())

    postgres = ask("--bindir") / "postgres"
    has_trigrams = (ask("--sharedir") / "extension/pg_trgm.control").exists()
    return postgres if postgres.exists() and has_trigrams else None


class ContribPostgres:
    """One server with one database for Prefect. Use as a context manager."""

    def __init__(self, folder: Path, *, durable: bool = False, **settings: str) -> None:
        """Choose a folder (its path short enough for a socket) and settings; nothing is made yet."""
        home = installed()
        assert home, MISSING
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._account = replace(choose_account(folder.resolve()), programs=home)
        self._folder = self._account.directory
        self._settings = {"listen_addresses": "", "unix_socket_directories": str(self._folder)}
        self._settings |= ({} if durable else NOT_DURABLE) | settings
        self._port = settings.get("port", "5432")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The postmaster."""
        assert self._process
        return self._process.pid

    @property
    def url(self) -> str:
        """What to set PREFECT_API_DATABASE_CONNECTION_URL to."""
        return self._url("postgresql+asyncpg").render_as_string()

    @property
    def plain_url(self) -> str:
        """The same for psycopg2."""
        return self._url("postgresql+psycopg2").render_as_string()

    def _url(self, driver: str) -> URL:
        query = {"host": str(self._folder)}
        return URL.create(driver, USER, database=USER, query=query)

    def __enter__(self) -> Self:
        """Make the cluster, start it, make the database."""
        cluster = str(self._folder / "cluster")
        self._run("initdb", "-D", cluster, "-U", USER, "-A", "trust", "-E", "UTF8", "-N")
        self._start()
        self._run("createdb", "-h", str(self._folder), "-p", self._port, "-U", USER, USER)
        return self

    def restart(self) -> None:
        """Stop it, which ends all sessions, and start it again on the same data."""
        self._stop()
        self._start()

    def _start(self) -> None:
        cluster = self._folder / "cluster"
        options = [p for name, value in self._settings.items() for p in ("-c", f"{name}={value}")]
        command = self._account.command("postgres", "-D", str(cluster), *options)
        with (self._folder / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environment(), cwd=self._folder, stdout=log, stderr=log
            )
        wait_until(self._answers, timeout=60, interval=0.1)

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._stop()

    def _stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGINT)  # fast: sessions are ended
            self._process.wait(60)

    def _run(self, program: str, *arguments: str) -> None:
        command = self._account.command(program, *arguments)
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            env=environment(),
            cwd=self._folder,
        )
        assert done.returncode == 0, done.stderr

    def _answers(self) -> bool:
        try:
            psycopg2.connect(
                host=str(self._folder), port=self._port, user=USER, dbname="postgres"
            ).close()
        except psycopg2.OperationalError:
            return False
        return True


@pytest.fixture
def contrib_postgres(tmp_path: Path) -> Iterator[ContribPostgres]:
    """A PostgreSQL for the Prefect server of this test; skips where there is none."""
    if installed() is None:
        pytest.skip(MISSING)
    with ContribPostgres(tmp_path / "pg") as postgres:
        yield postgres


def server_on(postgres: ContribPostgres, home: Path) -> Server:
    """The product's Prefect server, which keeps its data there."""
    return Server(home, PREFECT_API_DATABASE_CONNECTION_URL=postgres.url)
