"""A backup or a restore that is killed: nothing half-made passes for whole, and both can be repeated."""

import multiprocessing
import os
import signal
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner

from analytics_worker.cli import app
from analytics_worker.stack.errors import StackError
from analytics_worker.stack.server_database_template import template
from analytics_worker.stack.state_dir import StateFolder
from tests.support.backups import command, execute, fill, rows, succeed
from tests.support.forked_process import run_forked
from tests.support.wait_until import wait_until

CREATE, RESTORE = "analytics_worker.backup.create", "analytics_worker.backup.restore"
SQLITE = "analytics_worker.backup.prefect_sqlite"
FOLDER = "analytics_worker.backup.folder"
FLOW = "insert into flow (id, name, tags, labels) values ('{0}', '{0}', '[]', '{{}}')"


@pytest.fixture(scope="module")
def context():
    """Processes forked from one that has imported everything."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([CREATE, RESTORE, "analytics_worker.cli.backup"])
    return found


@pytest.fixture(autouse=True)
def prefect_home(tmp_path, monkeypatch):
    """The database of a Prefect server."""
    home = tmp_path / "state/prefect"
    monkeypatch.setenv("PREFECT_HOME", str(home))
    home.mkdir(parents=True)
    with closing(sqlite3.connect(home / "prefect.db")) as target:
        with closing(sqlite3.connect(template())) as source:
            source.backup(target)
        target.execute("pragma journal_mode = wal")
    return home


def flows(home):
    with closing(sqlite3.connect(home / "prefect.db")) as connection:
        return [name for (name,) in connection.execute("select name from flow")]


def add_flow(home, name):
    with closing(sqlite3.connect(home / "prefect.db")) as connection, connection:
        connection.execute(FLOW.format(name))


def _die(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)


def _run(arguments, module, name):
    """Run the command, and be killed where it would call the function."""
    owner = __import__(module, fromlist=["_"])
    for part in name.split(".")[:-1]:
        owner = getattr(owner, part)
    setattr(owner, name.rpartition(".")[2], _die)
    CliRunner().invoke(app, arguments)


def killed(context, arguments, where):
    with run_forked(context, _run, [str(each) for each in arguments], *where) as process:
        process.join(timeout=120)
        assert process.exitcode == -signal.SIGKILL


BACKUP_STEPS = [
    (CREATE, "back_up_ops"),
    (FOLDER, "BackupFolder.finish"),
    (FOLDER, "Path.replace"),
]


@pytest.mark.parametrize("step", BACKUP_STEPS, ids=lambda step: step[1])
def test_a_killed_backup_is_none_and_is_made_again(context, environment, tmp_path, step):
    fill(environment)
    killed(context, ["backup", tmp_path / "saved"], step)
    assert list((tmp_path / "saved").iterdir())
    result = command("restore", tmp_path / "saved", "--replace")
    assert (result.exit_code, "was not finished" in result.stderr) == (1, True)
    succeed("backup", tmp_path / "saved")
    assert not (tmp_path / "saved/unfinished").exists()
    succeed("restore", tmp_path / "saved", "--replace")


RESTORE_STEPS = [
    (RESTORE, "restore_files"),
    (SQLITE, "_set_aside"),
    (RESTORE, "migrate"),
]


@pytest.mark.parametrize("step", RESTORE_STEPS, ids=lambda step: step[1])
def test_a_killed_restore_keeps_the_stack_from_starting_and_is_repeated(
    context, environment, tmp_path, prefect_home, step
):
    fill(environment)
    add_flow(prefect_home, "saved")
    succeed("backup", tmp_path / "saved")
    before = rows(environment)
    add_flow(prefect_home, "later")
    execute(environment, "delete from ops.alert_states")
    changed = rows(environment)
    killed(context, ["restore", tmp_path / "saved", "--replace"], step)
    if step[1] != "migrate":
        wait_until(lambda: rows(environment) == changed, timeout=30)
    with pytest.raises(StackError, match="restore of a backup was not finished"):
        StateFolder(tmp_path / "state").acquire_lock()
    succeed("restore", tmp_path / "saved", "--replace")
    assert rows(environment) == before
    assert flows(prefect_home) == ["saved"]
    assert list(prefect_home.glob("prefect.db.replaced-*Z"))
    stack = StateFolder(tmp_path / "state")
    stack.acquire_lock()
    stack.release_lock()


def test_the_database_of_a_server_is_copied_while_it_is_written(
    environment, tmp_path, prefect_home
):
    del environment
    add_flow(prefect_home, "first")
    with closing(sqlite3.connect(prefect_home / "prefect.db")) as writer:
        writer.execute("begin immediate")
        writer.execute(FLOW.format("uncommitted"))
        succeed("backup", tmp_path / "saved")
        writer.commit()
    result = command("restore", tmp_path / "saved")
    assert result.exit_code == 0, result.output  # no deployment and no run is nothing to lose
    assert flows(prefect_home) == ["first"]


def test_a_damaged_database_of_a_server_is_named(environment, tmp_path, prefect_home):
    del environment
    database = prefect_home / "prefect.db"
    content = bytearray(database.read_bytes())
    content[4096:20480] = b"\xff" * 16384
    database.write_bytes(content)
    result = command("backup", tmp_path / "saved")
    assert (result.exit_code, (tmp_path / "saved").exists()) == (1, False)
    assert "prefect.db can't be backed up" in result.stderr
