"""`analytics-worker backup` and `restore`: all rows and files, modes, refusals."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.migrations import head
from analytics_worker.stack.state_dir import StateFolder
from tests.support.backups import CHANGE, command, execute, fill, rows, succeed
from tests.support.deliveries import webhook_recipient
from tests.support.revisions import upgrade_to

OTHER = "--other-database"
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")


@pytest.fixture(autouse=True)
def prefect_home(tmp_path, monkeypatch):
    """This host has no Prefect server."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))


@pytest.fixture
def saved(environment, tmp_path) -> Path:
    """A backup of a database with rows."""
    fill(environment)
    succeed("backup", tmp_path / "saved")
    return tmp_path / "saved"


def test_all_rows_and_sequences_are_restored(environment, tmp_path, new_database):
    fill(environment)
    folder = tmp_path / "Sicherung von heute 备份"
    result = json.loads(succeed("backup", folder, "--json").stdout)
    assert (result["revision"], result["rows"]["catalog_changes"]) == (head(), 8)
    before = rows(environment)
    target = new_database()
    result = json.loads(succeed("restore", folder, OTHER, "--json").stdout)
    assert result["waiting"] == 0
    assert rows(target) == before
    execute(target, CHANGE, "s", "r", None, None)
    assert execute(target, "select max(id) from ops.catalog_changes") == [(9,)]
    keys = "select count(*) from pg_constraint where contype = 'f' and connamespace = 'ops'::regnamespace"
    assert execute(target, keys) == execute(environment, keys)


def test_only_what_waited_is_sent_after_a_restore(deliveries, tmp_path, new_database, http_sink):
    deliveries.add(webhook_recipient(), key="sent")
    assert deliver_due("alerts")["sent"] == 1
    deliveries.add(webhook_recipient(), key="waiting")
    succeed("backup", tmp_path / "saved")
    new_database()
    result = succeed("restore", tmp_path / "saved", OTHER)
    assert "1 messages wait" in result.stdout
    assert deliver_due("alerts")["sent"] == 1
    assert deliver_due("alerts")["sent"] == 0
    assert http_sink.keys() == ["sent", "waiting"]


def test_a_backup_of_an_older_version_is_migrated(environment, tmp_path, new_database):
    old = new_database()
    upgrade_to(old, "0014_report_times")
    execute(
        old,
        "insert into ops.alert_rules (kind, name, definition, every) values ('alert', 'r', '{}', '2m')",
    )
    succeed("backup", tmp_path / "saved")
    target = new_database()
    succeed("restore", tmp_path / "saved", OTHER)
    assert execute(target, "select version_num from ops.alembic_version") == [(head(),)]
    assert execute(target, "select name from ops.alert_rules") == [("r",)]
    del environment


def test_files_are_for_their_owner_only_and_restored_with_their_content(
    environment, tmp_path, monkeypatch
):
    state = tmp_path / "state"
    kept = state / "dbt-state/sales/20261130T010203000000Z/manifest.json"
    for path, text in (
        (state / "login", "admin:secret\n"),
        (kept, "{}"),
        (state / "reports/sales.csv", "n\n"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (state / "worker").mkdir()
    (state / "worker/host.lock").write_text("identity")
    files = json.dumps(
        [{"name": "sales.csv"}, {"name": "deleted.csv"}, {"name": "../../etc/passwd"}]
    )
    execute(
        environment,
        "insert into ops.report_runs (report, kind, period, definition, period_start, period_end, status, files)"
        " values ('sales', 'single', 'p', '{}', now(), now(), 'ready', %s)",
        files,
    )
    result = succeed("backup", tmp_path / "saved")
    assert "1 report files are not in" in result.stdout
    for path in (tmp_path / "saved").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert not list((tmp_path / "saved").rglob("*.lock"))
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "other host"))
    succeed("restore", tmp_path / "saved", "--replace")
    other = tmp_path / "other host"
    assert (other / "login").read_text() == "admin:secret\n"
    assert stat.S_IMODE((other / "login").stat().st_mode) == 0o600
    assert (other / "reports/sales.csv").read_text() == "n\n"
    assert (other / kept.relative_to(state)).read_text() == "{}"
    assert not (other / "worker").exists()


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_saved(environment, tmp_path):
    reports = tmp_path / "state/reports"
    (reports / "folder.csv").mkdir(parents=True)
    os.mkfifo(reports / "pipe.csv")
    (reports / "link.csv").symlink_to("/etc/passwd")
    (reports / "good.csv").write_text("n\n")
    files = [{"name": f"{name}.csv"} for name in ("folder", "good", "link", "pipe")]
    execute(
        environment,
        "insert into ops.report_runs (report, kind, period, definition, period_start, period_end, status, files)"
        " values ('sales', 'single', 'p', '{}', now(), now(), 'ready', %s)",
        json.dumps(files),
    )
    result = command("backup", tmp_path / "saved")
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if line.startswith("not in the backup")]
    assert [line.partition(".csv")[0].rpartition("/")[2] for line in lines] == [
        "folder",
        "link",
        "pipe",
    ]
    assert [path.name for path in (tmp_path / "saved/reports").iterdir()] == ["good.csv"]
    assert "folder.csv" in succeed("restore", tmp_path / "saved", "--replace").stderr


@pytest.mark.usefixtures("environment")
def test_folders_that_have_something_else_are_not_written_to(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes").write_text("mine")
    succeed("backup", tmp_path / "saved")
    for name, reason in (
        ("file", "File exists"),
        ("mine", "is not empty"),
        ("saved", "has a backup of"),
    ):
        result = command("backup", tmp_path / name)
        assert result.exit_code == 1
        assert reason in result.stderr
    assert (tmp_path / "mine/notes").read_text() == "mine"
    succeed("restore", tmp_path / "saved", "--replace")


@only_root
def test_a_full_disk_is_named_and_nothing_is_left(environment, tmp_path):
    execute(
        environment,
        "insert into ops.catalog_changes (schema_name, relation_name, change, after)"
        " select 's', n, 'relation appeared', (select string_agg(md5(random()::text || n || m), '') from generate_series(1, 50) m)"
        " from generate_series(1, 2000) n",
    )
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    try:
        result = command("backup", folder)
        assert (result.exit_code, list(folder.iterdir())) == (1, [])
        assert f"{folder} can't be written: no space left, " in result.stderr
    finally:
        subprocess.run(["/bin/umount", folder], check=True)


def test_data_is_replaced_only_on_request(saved, environment, tmp_path):
    execute(environment, "delete from ops.alert_states")
    before = rows(environment)
    result = command("restore", saved)
    assert result.exit_code == 1
    assert "Use --replace" in result.stderr
    assert rows(environment) == before
    (tmp_path / "state/login").write_text("admin:mine\n")
    succeed("restore", saved, "--replace")
    assert len(rows(environment)["alert_states"]) == 4
    assert (tmp_path / "state/login").read_text() == "admin:mine\n"  # the backup has none


def test_grants_and_views_of_users_are_kept(saved, environment):
    execute(environment, "create view public.mine as select name from ops.alert_status")
    execute(environment, "grant select on ops.alert_rules to public")
    execute(environment, "create table ops.my_own as select 1 as n")
    succeed("restore", saved, "--replace")
    assert execute(environment, "select count(*) from public.mine") == [(4,)]
    assert execute(environment, "select n from ops.my_own") == [(1,)]
    granted = "select has_table_privilege('analytics_reader', 'ops.alert_rules', 'select')"
    assert execute(environment, granted) == [(True,)]


def test_a_newer_schema_is_named_with_the_statement_that_makes_room(saved, environment):
    execute(environment, "update ops.alembic_version set version_num = '9999_next'")
    result = command("restore", saved, "--replace")
    assert result.exit_code == 1
    statement = result.stderr.strip().rpartition(": ")[2]
    assert statement == "ALTER SCHEMA ops RENAME TO ops_before_restore;"
    execute(environment, statement)
    succeed("restore", saved, "--replace")
    assert len(rows(environment)["alert_states"]) == 4


def test_nothing_is_restored_below_running_workers_or_a_running_stack(saved, environment, tmp_path):
    import psycopg2  # noqa: PLC0415

    parameters = environment.replace("+psycopg2", "")
    worker = psycopg2.connect(parameters, application_name="analytics-worker")
    result = command("restore", saved, "--replace")
    worker.close()
    assert result.exit_code == 1
    assert "Stop the workers and exporters" in result.stderr
    stack = StateFolder(tmp_path / "state")
    stack.acquire_lock()
    result = command("restore", saved, "--replace")
    stack.release_lock()
    assert result.exit_code == 1
    assert "already running" in result.stderr
