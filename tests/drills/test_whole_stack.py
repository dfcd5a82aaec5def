"""What happens to machines: the database away, the server killed, everything killed, the disk full.

After each, every deployment works again, and no row, alert or counted run is lost or there twice.
"""

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from analytics_worker.prefect_support.runs import submit
from tests.acceptance.alerts_of_stack import Receivers, evaluate_until, receivers, set_kpi
from tests.support.stack import DEADLINE_SECONDS, RunningStack
from tests.support.wait_until import wait_until
from tests.support.warehouse_fixtures import query
from tests.support.whole_stack import (
    VARIABLES,
    all_succeed,
    counters_equal_the_database,
    mark,
    marked,
)

RULE = "erasure-requests-overdue"
STATE = f"select status, told from ops.alert_status where name = '{RULE}'"
NONE_OVERDUE = "update raw.erasure_requests set completed_at = now() where completed_at is null"
OVERDUE_ROWS = 3
MINUTE = 60.0
pytestmark = pytest.mark.timeout(1500)


@pytest.fixture
def told() -> Iterator[Receivers]:
    with receivers() as ready:
        yield ready


Starting = Callable[[Path], RunningStack]


@pytest.fixture
def start(told: Receivers, tmp_path: Path) -> Iterator[Starting]:
    """Start a stack in a folder; it has run its pipeline, and three requests are overdue."""
    started: list[RunningStack] = []

    def in_folder(folder: Path = tmp_path) -> RunningStack:
        stack = RunningStack(folder / "state", variables=told.variables | VARIABLES)
        started.append(stack)
        stack.start("--sample-opportunities", "500")
        return stack

    yield in_folder
    for stack in started:
        stack.stop(signal.SIGTERM)
        for process in stack.processes():
            process.kill()


@contextmanager
def nothing_lost(stack: RunningStack, told: Receivers) -> Generator[None]:
    """Rows, an alert that begins to fire, and counters, over all faults inside."""
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{stack.port}/api"}):
        set_kpi(stack, "compliance_kpis", NONE_OVERDUE)
        evaluate_until(stack, lambda: query(stack, STATE) == [("ok", None)])
        told.hook.requests.clear()
        rows = mark(stack, OVERDUE_ROWS)
        assert len(rows) == OVERDUE_ROWS
        yield
        all_succeed()
        assert marked(stack) == rows
        evaluate_until(stack, lambda: bool(told.posted(RULE)))
        assert told.posted(RULE) == ["firing"]
        assert max(Counter(told.hook.keys()).values()) == 1, "each message once"
        counters_equal_the_database(stack)
    assert stack.run("doctor", "--problems").returncode == 0


def events(told: Receivers) -> Counter[tuple[str, str]]:
    """The events about deployments and the database, and how often each was sent."""
    said = [post.json for post in told.hook.requests if "event" in post.json]
    return Counter((str(one["event"]), str(one.get("deployment", ""))) for one in said)


def test_the_database_is_away_for_five_minutes(start: Starting, told: Receivers, tmp_path: Path):
    stack = start(tmp_path)

    def told_to(event: str) -> set[str]:
        return {name for kind, name in events(told) if kind == event}

    with nothing_lost(stack, told):
        settings = stack.state_dir / "postgres" / "cluster" / "postgresql.conf"
        settings.rename(
            settings.with_suffix(".away")
        )  # so that the supervisor cannot start it again
        os.kill(stack.pid("postgres") or 0, signal.SIGKILL)
        time.sleep(5 * MINUTE)
        assert events(told)["database_away", ""] == 1
        settings.with_suffix(".away").rename(settings)
        wait_until(lambda: stack.pid("postgres"), DEADLINE_SECONDS)
    failing = {"refresh-catalog/analytics", "health-check/monitoring"}
    wait_until(lambda: failing <= told_to("deployment_failing"), 150, 1)
    wait_until(lambda: told_to("deployment_failing") == told_to("deployment_recovered"), 150, 1)
    assert events(told)["database_back", ""] == 1
    assert set(events(told).values()) == {1}, "once per outage"


def test_the_server_is_killed(start: Starting, told: Receivers, tmp_path: Path):
    stack = start(tmp_path)
    with nothing_lost(stack, told):
        before = stack.pid("server")
        running = submit("run-dbt-models")
        wait_until(lambda: str(running.state()).startswith("Running"), 60, 0.1)
        os.kill(before or 0, signal.SIGKILL)
        wait_until(lambda: stack.pid("server") not in {None, before}, DEADLINE_SECONDS)
        assert running.get(timeout=240)["status"] == "success"


def pull_the_plug(stack: RunningStack) -> None:
    """Kill everything at once, so that no process can clean up."""
    assert stack.process
    root = psutil.Process(stack.process.pid)
    for process in {root, *root.children(recursive=True), *stack.processes()}:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    stack.process.wait()
    wait_until(lambda: not stack.processes(), 60)


def test_the_machine_is_started_again(start: Starting, told: Receivers, tmp_path: Path):
    stack = start(tmp_path)
    with nothing_lost(stack, told):
        running = submit("run-dbt-models")
        wait_until(lambda: str(running.state()).startswith("Running"), 60, 0.1)
        pull_the_plug(stack)
        stack.start("--no-pipeline")
        state = running.state()
        assert state is not None
        assert (state.name, bool(state.message)) == ("Crashed", True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount, unmount = str(shutil.which("mount")), str(shutil.which("umount"))
    command = [mount, "-t", "tmpfs", "-o", "size=1500m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount the small disk that this drill fills")
    yield place
    subprocess.run([unmount, "--lazy", str(place)], check=True)


def fill(path: Path) -> None:
    """Leave not a byte to others."""
    for piece in (b"\0" * 1_000_000, b"\0"):
        with path.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(piece)


def test_the_disk_is_full_for_a_minute(small_disk: Path, start: Starting, told: Receivers):
    stack = start(small_disk)
    with nothing_lost(stack, told):
        filler = small_disk / "filler"
        fill(filler)
        time.sleep(MINUTE)
        filler.unlink()
