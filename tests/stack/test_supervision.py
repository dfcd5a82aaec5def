"""The running stack: what it starts, what it restarts, how it ends."""

import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import urllib.request

import psutil
import psycopg2
import pytest
from psycopg2.extensions import make_dsn
from sqlalchemy.engine import make_url

from analytics_worker.stack.state_dir import MARKER
from tests.support.attacks import attack
from tests.support.stack import DEADLINE_SECONDS, SMALL
from tests.support.wait_until import wait_until

COMPONENTS = {"postgres", "server", "worker", "exporter"}


def ready(stack) -> set[str]:
    record = stack.record
    return {c.name for c in record.components if c.ready} if record else set()


def test_every_component_runs_and_logs(running_stack):
    assert ready(running_stack) == COMPONENTS
    logs = running_stack.state_dir / "logs"
    # A log begins with the first line that its process writes.
    wait_until(lambda: {"postgres.log", "worker.log"} <= {path.name for path in logs.glob("*.log")})


@attack(
    by="local user",
    what="reading stack.env, stack.json and the database of the Prefect server",
    answer="modes 0600 and 0700",
)
def test_its_secrets_are_for_the_owner_only(running_stack):
    folder = running_stack.state_dir
    private = {path: stat.S_IMODE(path.stat().st_mode) for path in folder.glob("stack.*n*")}
    assert {path.name: mode for path, mode in private.items()} == {
        "stack.env": 0o600,
        "stack.json": 0o600,
    }
    assert stat.S_IMODE((folder / "prefect").stat().st_mode) == 0o700


@attack(
    by="local user",
    what="reading passwords in the process list (ps)",
    answer="no command line has one",
)
def test_no_process_shows_a_password(running_stack):
    variables = (running_stack.state_dir / "stack.env").read_text()
    password = str(make_url(re.findall(r"DATABASE_URL='?([^'\s]+)", variables)[0]).password)
    assert len(password) > 8
    roots = [psutil.Process(running_stack.pid(component)) for component in COMPONENTS]
    everybody = [each for root in roots for each in (root, *root.children(recursive=True))]
    lines = [" ".join(each.cmdline()) for each in everybody]
    assert len(lines) > len(COMPONENTS)
    assert not [line for line in lines if password in line]


def test_a_second_one_is_refused_with_one_line(running_stack):
    second = running_stack.run("up")
    assert second.returncode == 2
    assert second.stdout == ""
    assert second.stderr.count("\n") == 1
    assert "already running" in second.stderr
    assert ready(running_stack) == COMPONENTS


@pytest.mark.parametrize("component", ["worker", "postgres", "server", "exporter"])
def test_a_killed_component_comes_back_and_it_says_so(running_stack, component):
    pid = running_stack.pid(component)
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: running_stack.pid(component) not in {None, pid}, DEADLINE_SECONDS)
    assert f"{component} was killed by SIGKILL; starting it again in" in running_stack.output


def test_metrics_are_there_as_soon_as_it_is_ready(running_stack):
    wait_until(lambda: ready(running_stack) == COMPONENTS, DEADLINE_SECONDS)
    address = f"http://127.0.0.1:{running_stack.metrics_port}/metrics"
    assert address in running_stack.output

    def pools_are_online() -> bool:
        with urllib.request.urlopen(address, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return (
            sum(
                line.startswith("analytics_workers_online{") and line.endswith(" 1.0")
                for line in lines
            )
            == 5
        )

    wait_until(pools_are_online, DEADLINE_SECONDS)


def test_status_shows_it_and_is_content(running_stack):
    wait_until(lambda: ready(running_stack) == COMPONENTS, DEADLINE_SECONDS)
    shown = running_stack.run("status")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert all(name in shown.stdout for name in COMPONENTS)
    (catalog,) = [line for line in shown.stdout.splitlines() if "refresh-catalog" in line]
    assert "manual" not in catalog
    assert "paused" not in catalog


def test_env_lets_a_shell_connect(running_stack):
    exports = running_stack.run("env").stdout
    reached = psycopg2.connect(dsn_of(exports))
    with reached, reached.cursor() as cursor:
        cursor.execute("select count(*) > 0 from raw.opportunities")
        assert cursor.fetchone() == (True,)
    reached.close()


def dsn_of(exports: str) -> str:
    pairs = dict(word.split("=", 1) for word in shlex.split(exports) if "=" in word)
    return make_dsn(
        host=pairs["PGHOST"],
        user=pairs["PGUSER"],
        password=pairs["PGPASSWORD"],
        dbname=pairs["PGDATABASE"],
    )


def test_it_stops_on_signals_and_the_next_start_keeps_the_data(new_stack):
    new_stack.start()
    assert "sample warehouse" in new_stack.output
    assert new_stack.stop(signal.SIGINT, seconds=15) == 0
    assert new_stack.processes() == []
    assert new_stack.record is None
    assert not (new_stack.state_dir / "stack.env").exists()
    new_stack.start()
    assert "sample warehouse" not in new_stack.output
    assert "deployments unchanged" in new_stack.output
    assert new_stack.stop(signal.SIGTERM, seconds=15) == 0
    assert new_stack.processes() == []


def half_started(stack) -> int:
    """Start it, wait until there is something to leave behind; pid of its outer process."""
    stack.launch(*SMALL)
    wait_until(
        lambda: stack.record and sum(c.pid is not None for c in stack.record.components) > 1,
        DEADLINE_SECONDS,
    )
    assert stack.process
    return stack.process.pid


def test_it_stops_while_it_is_still_starting(new_stack):
    half_started(new_stack)
    assert new_stack.stop(signal.SIGTERM, seconds=15) == 0
    assert new_stack.processes() == []


def test_a_killed_guardian_leaves_nothing_behind(new_stack):
    os.kill(half_started(new_stack), signal.SIGKILL)
    wait_until(lambda: not new_stack.processes(), 15)


def test_a_killed_supervisor_leaves_nothing_behind(new_stack):
    (supervisor,) = psutil.Process(half_started(new_stack)).children()
    supervisor.kill()
    new_stack.process.wait(15)
    assert new_stack.processes() == []


def test_what_survived_the_killing_of_both_is_ended_by_the_next_start(new_stack):
    (supervisor,) = psutil.Process(half_started(new_stack)).children()
    survivor = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env=new_stack.environment | {MARKER: new_stack.record.marker},
    )
    new_stack.process.kill()
    supervisor.kill()
    new_stack.process.wait()
    new_stack.launch(*SMALL)
    wait_until(
        lambda: "leftover processes of a previous stack" in new_stack.output, DEADLINE_SECONDS
    )
    assert survivor.wait(15) != 0
