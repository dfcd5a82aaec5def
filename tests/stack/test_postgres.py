"""The embedded PostgreSQL: who gets in, where it may live, what it survives."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import psycopg2
import pytest
from sqlalchemy import make_url

from analytics_worker.stack.errors import StackError
from analytics_worker.stack.postgres.account import SYSTEM_USER, choose_account
from analytics_worker.stack.postgres.cluster import OWNER
from analytics_worker.stack.postgres.server import MAX_SOCKET_PATH_BYTES, EmbeddedPostgres
from tests.support.attacks import attack
from tests.support.wait_until import wait_until

NOBODY = 65534
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def connect(url: str, password: str | None = None):
    parsed = make_url(url)
    return psycopg2.connect(
        host=str(parsed.query["host"]),
        user=parsed.username,
        password=password or parsed.password,
        dbname=parsed.database,
    )


def value(url: str, query: str):
    connection = connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()
    finally:
        connection.close()


def modes(path: Path) -> dict[Path, int]:
    return {place: stat.S_IMODE(place.stat().st_mode) for place in (path, *path.parents)}


def test_it_is_utf8_in_utc_and_our_role_is_no_superuser(postgres):
    query = (
        "select current_setting('server_encoding'), current_setting('timezone'), upper('é'),"
        " (select rolsuper from pg_roles where rolname = current_user)"
    )
    assert value(postgres.url, query) == ("UTF8", "UTC", "É", False)


@attack(
    by="network",
    what="connecting to the embedded PostgreSQL",
    answer="it listens on no address",
)
def test_nothing_listens_on_the_network(postgres):
    assert value(postgres.url, "show listen_addresses") == ("",)


@attack(
    by="local user",
    what="a wrong password for the embedded PostgreSQL",
    answer="refused: no trust authentication",
)
def test_a_wrong_password_is_refused(postgres):
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        connect(postgres.url, password="wrong")


@only_root
@attack(
    by="local user",
    what="the socket of the embedded PostgreSQL, with the right password",
    answer="permission denied",
)
def test_another_user_of_the_machine_does_not_even_reach_the_socket(postgres):
    url = make_url(postgres.url)
    attempt = (
        "import os, sys, psycopg2\n"
        f"os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "try: psycopg2.connect(host=sys.argv[1], user=sys.argv[2], password=sys.argv[3])\n"
        "except psycopg2.OperationalError as error: print(error)\n"
        "else: print('connected')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", attempt, str(url.query["host"]), OWNER, url.password or ""],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Permission denied" in done.stdout


def test_files_are_private_and_no_parent_changes(tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    before = modes(private)
    with EmbeddedPostgres(private / "data", durable=False) as server:
        assert modes(private) == before
        assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.socket_directory.stat().st_mode) == 0o700
        passwords = list(server.data_dir.glob("*.password"))
        assert {stat.S_IMODE(path.stat().st_mode) for path in passwords} == {0o600}
    assert modes(private) == before


def test_a_path_with_spaces_quotes_and_commas(tmp_path):
    with EmbeddedPostgres(tmp_path / 'it\'s a, "path"', durable=False) as server:
        assert value(server.url, "select 1") == (1,)


def test_libpq_reads_the_url_of_a_path_with_spaces(tmp_path):
    with EmbeddedPostgres(tmp_path / "a path", durable=False) as server:
        psycopg2.connect(server.url.replace("+psycopg2", "")).close()


def test_a_path_too_deep_for_a_socket_gets_a_private_one_elsewhere(tmp_path):
    deep = tmp_path / ("d" * MAX_SOCKET_PATH_BYTES)
    with EmbeddedPostgres(deep, durable=False) as server:
        place = server.socket_directory
        assert not place.is_relative_to(deep)
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert value(server.url, "select 1") == (1,)
    assert not place.exists()


def test_a_private_socket_directory_keeps_its_name_unless_somebody_else_has_it(
    tmp_path, monkeypatch
):
    """The URL is stored in a block, which must not change with every start."""
    deep = tmp_path / ("d" * MAX_SOCKET_PATH_BYTES)
    (tmp_path / "t").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "t"))
    places: list[Path] = []
    for taken in (False, False, True):
        server = EmbeddedPostgres(deep, durable=False)
        assert server.account
        if taken:
            places[0].mkdir(mode=0o755)
        places.append(server.socket_directory)
        server.release()
    assert places[0] == places[1] != places[2]
    assert places[0].exists(), "another user owns it"


def test_data_survives_a_killed_server(tmp_path):
    with EmbeddedPostgres(tmp_path / "data") as server:
        connection = connect(server.url)
        connection.cursor().execute("create table kept as select 42 as answer")
        connection.commit()
        pid = server.cluster.path.joinpath("postmaster.pid").read_text().split()[0]
        os.kill(int(pid), signal.SIGKILL)
        wait_until(lambda: not server.is_ready())
        connection.close()
        server.stop()
        server.start()
        assert value(server.url, "select answer from kept") == (42,)


def test_a_leftover_pid_file_with_a_foreign_pid_does_not_keep_it_from_starting(tmp_path):
    with EmbeddedPostgres(tmp_path / "data", durable=False) as server:
        pid_file = server.cluster.path / "postmaster.pid"
        content = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *content[1:]]))
    with server:
        assert value(server.url, "select 1") == (1,)


def test_a_second_server_on_the_same_data_is_refused_and_the_first_goes_on(tmp_path):
    with EmbeddedPostgres(tmp_path / "data", durable=False) as server:
        with pytest.raises(StackError, match="already running"):
            EmbeddedPostgres(tmp_path / "data").start()
        assert value(server.url, "select 1") == (1,)


def test_it_ends_when_the_process_that_started_it_is_killed(tmp_path):
    start = (
        "import sys, time; from pathlib import Path; from analytics_worker.stack.postgres.server import EmbeddedPostgres\n"
        "EmbeddedPostgres(Path(sys.argv[1]), durable=False).start(); print('up', flush=True)\n"
        "sys.stdin.read()\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", start, str(tmp_path / "data")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert starter.stdout
    assert starter.stdout.readline() == b"up\n"
    pid = int((tmp_path / "data/cluster/postmaster.pid").read_text().split()[0])
    starter.kill()
    starter.communicate()
    wait_until(lambda: not psutil.pid_exists(pid))


def test_an_interrupted_initialization_is_done_again(tmp_path):
    server = EmbeddedPostgres(tmp_path / "data", durable=False)
    (server.account.directory / "cluster.new").mkdir()
    (server.account.directory / "cluster.new/half").touch()
    with server:
        assert value(server.url, "select 1") == (1,)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match=r"file/data.*STATE_DIR"):
        EmbeddedPostgres(tmp_path / "file/data").start()


@only_root
def test_without_namespaces_it_runs_as_a_system_user(tmp_path, monkeypatch):
    """The choice only: making the user would change the machine."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match=r"useradd|DATABASE_URL"):
        choose_account(tmp_path)
    assert SYSTEM_USER not in {process.username() for process in psutil.process_iter()}
