"""A primary PostgreSQL and a standby that replicates it, on this machine, over TCP."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg2
import pytest
from sqlalchemy import URL, make_url

from analytics_worker.stack.postgres.account import environment, packaged_postgres
from analytics_worker.stack.postgres.cluster import DATABASE, OWNER, SUPERUSER
from tests.support.ports import free_port
from tests.support.postgres_versions import SERVER_VARIABLE, PostgresOfVersion
from tests.support.wait_until import wait_until

PRIMARY_HOST, STANDBY_HOST = "127.0.0.1", "127.0.0.2"
ACCESS = "local all all scram-sha-256\nhost all,replication all 127.0.0.0/8 scram-sha-256\n"
SETTINGS = {
    "wal_level": "replica",
    "max_wal_senders": "5",
    "synchronous_commit": "on",
    "wal_receiver_status_interval": "1",
    "max_standby_streaming_delay": "0",
    "wal_retrieve_retry_interval": "200",
}
"""A COMMIT waits for the standby, once there is one; a query there is cancelled as soon as it conflicts."""


class ReplicatedServer(PostgresOfVersion):
    """A server that can be the primary or the standby."""

    def __init__(self, data_dir: Path, host: str, port: int) -> None:
        """Choose an address; nothing is made yet."""
        self.host, self.port = host, port
        programs = os.environ.get(SERVER_VARIABLE)
        super().__init__(data_dir, Path(programs) if programs else packaged_postgres())

    def command(self) -> list[str]:
        """Command line of the server."""
        options = SETTINGS | {"listen_addresses": self.host, "port": str(self.port)}
        return [*super().command(), *(f"--{name}={value}" for name, value in options.items())]

    def prepare(self) -> None:
        """Make the cluster if it is missing, and let the standby and TCP in."""
        super().prepare()
        (self.cluster.path / "pg_hba.conf").write_text(ACCESS)

    def copy(self, primary: "ReplicatedServer") -> None:
        """Make this server's cluster a standby of a running primary."""
        self.account.make_directory(self.data_dir)
        for role in (OWNER, SUPERUSER):
            shutil.copy(primary.data_dir / f"{role}.password", self.data_dir)
        source = primary.address(SUPERUSER, SUPERUSER)
        source_text = (
            f"host={primary.host} port={primary.port} user={SUPERUSER} password={source.password}"
        )
        options = ["-D", str(self.cluster.path), "-d", source_text, "-R", "-X", "stream"]
        command = self.account.command("pg_basebackup", *options, "--checkpoint=fast", "--no-sync")
        subprocess.run(command, check=True, env=environment(), cwd=self.account.directory)

    def address(self, role: str = OWNER, database: str = DATABASE) -> URL:
        """URL over TCP."""
        password = self.cluster.password(role)
        return URL.create("postgresql", role, password, self.host, self.port, database)

    def is_ready(self) -> bool:
        """Whether it accepts connections."""
        try:
            self.administer("select 1")
        except psycopg2.OperationalError:
            return False
        return True

    def administer(self, statement: str) -> list[tuple[object, ...]]:
        """Rows of a statement of the superuser in the analytics database."""
        url = self.address(SUPERUSER)
        connection = psycopg2.connect(
            host=self.host, port=self.port, user=SUPERUSER, password=url.password, dbname=DATABASE
        )
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def kill(self) -> None:
        """Kill all of its processes at once, as a lost host does."""
        for process in list(self.cluster.processes()):
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        assert self._process
        self._process.wait(20)


class Replication:
    """A primary and its standby."""

    def __init__(self, primary: ReplicatedServer, standby: ReplicatedServer) -> None:
        self.primary, self.standby = primary, standby

    @property
    def url(self) -> str:
        """URL of both hosts, of which libpq uses the one that takes writes."""
        own = self.primary.address()
        hosts = ",".join(f"{each.host}:{each.port}" for each in (self.primary, self.standby))
        query = "target_session_attrs=read-write"
        return f"postgresql://{OWNER}:{own.password}@{hosts}/{DATABASE}?{query}"

    def await_commits(self) -> None:
        """From now on, a COMMIT waits until the standby has it."""
        self.primary.administer("alter system set synchronous_standby_names = '*'")
        self.primary.administer("select pg_reload_conf()")
        state = "select sync_state from pg_stat_replication"
        wait_until(lambda: self.primary.administer(state) == [("sync",)], 30)

    def catch_up(self) -> None:
        """Wait until the standby has replayed what the primary has written so far."""
        (position,) = self.primary.administer("select pg_current_wal_lsn()")[0]
        behind = f"select pg_last_wal_replay_lsn() >= '{position}'"
        wait_until(lambda: self.standby.administer(behind) == [(True,)], 30)


def has_basebackup() -> bool:
    """Whether the programs of the tests' server can copy a cluster."""
    programs = Path(os.environ.get(SERVER_VARIABLE) or packaged_postgres())
    return (programs / "bin/pg_basebackup").exists()


@pytest.fixture(scope="module")
def replication(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replication]:
    """A primary with the migrated analytics database, and its standby, for the tests of a module."""
    if not has_basebackup():
        pytest.skip("no pg_basebackup beside the server's programs")
    from analytics_worker.migrations import upgrade  # noqa: PLC0415  # Prefect takes a second to import

    folder = tmp_path_factory.mktemp("replication")
    port = free_port()
    primary = ReplicatedServer(folder / "p", PRIMARY_HOST, port)
    standby = ReplicatedServer(folder / "s", STANDBY_HOST, port)
    with ExitStack() as stack:
        stack.enter_context(primary)
        upgrade(primary.address().render_as_string(hide_password=False), sample=True)
        standby.copy(primary)
        stack.enter_context(standby)
        yield Replication(primary, standby)


def text(url: URL) -> str:
    """The URL with its password."""
    return make_url(url).render_as_string(hide_password=False)
