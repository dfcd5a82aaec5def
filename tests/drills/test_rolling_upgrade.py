"""A pool with a worker of the version before and one of this version, after the migration of schema ops.

As docs/upgrade.md says: the worker of the version before continues, and nothing is lost or doubled.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from analytics_worker.prefect_support.deployments import deployed_flows
from analytics_worker.prefect_support.runs import submit
from analytics_worker.stack.postgres.cluster import OWNER
from tests.acceptance.alerts_of_stack import (
    ERASURES_DONE,
    ERASURES_LATE,
    NEXT_PERIOD,
    Receivers,
    receivers,
)
from tests.support.backups import execute
from tests.support.postgres import administer, database_on
from tests.support.processes import ROOT, Process, Server
from tests.support.version_before import CLI, check_out_version_before
from tests.support.wait_until import wait_until
from tests.support.whole_stack import PARAMETERS, VARIABLES, all_succeed

RULE = "erasure-requests-overdue"
PIPELINE = ("dbt-build", "refresh-catalog", "refresh-materialized-views")
pytestmark = pytest.mark.timeout(1200)


class Checkout:
    """One version of the code: its commands, and its worker with a state folder of its own."""

    def __init__(self, code: Path, folder: Path, shared: dict[str, str]) -> None:
        self._within = ("env", "-C", str(code))  # where Python finds the packages first
        self._folder = folder
        folder.mkdir()
        self._environment = shared | {
            "PYTHONPATH": str(code),
            "STATE_DIR": str(folder / "state"),
            "PREFECT_HOME": str(folder / "home"),
        }

    def run(self, *words: str) -> None:
        command = [*self._within, sys.executable, *CLI, *words]
        environment = os.environ | self._environment
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"

    def worker(self) -> Process:
        words = [*CLI, "worker", "--name", self._folder.name]
        return Process(words, self._environment, self._folder / "log", self._within)


@pytest.fixture
def told() -> Iterator[Receivers]:
    with receivers() as ready:
        yield ready


@pytest.fixture
def warehouse(postgres) -> Iterator[str]:
    name = f"upgrade_{os.getpid()}"
    administer(postgres, "create database {name} owner {owner}", name=name, owner=OWNER)
    yield database_on(postgres, name)
    administer(postgres, "drop database {name} with (force)", name=name)


def taken_by(runs) -> Counter[str]:
    """How many runs each worker executed."""
    with get_client(sync_client=True) as client:
        labels = [client.read_flow_run(run.id).labels for run in runs]
    return Counter(str(each.get("prefect.worker.name")).partition("-")[0] for each in labels)


def started(runs) -> set[int]:
    """How often runs were started."""
    with get_client(sync_client=True) as client:
        states = [client.read_flow_run_states(run.id) for run in runs]
    return {[state.name for state in each].count("Pending") for each in states}


def test_both_versions_serve_the_pools(told: Receivers, warehouse: str, tmp_path: Path):
    code = check_out_version_before(tmp_path / "checkout")
    with (
        Server(tmp_path / "server") as server,
        temporary_settings({PREFECT_API_URL: server.api_url}),
    ):
        shared = {"PREFECT_API_URL": server.api_url, "DATABASE_URL": warehouse}
        shared |= told.variables | VARIABLES
        before = Checkout(code, tmp_path / "before", shared)
        after = Checkout(ROOT, tmp_path / "after", shared)
        for words in (["migrate"], ["sample", "--scale", "0.01"], ["deploy"]):
            before.run(*words)
        with before.worker():
            for flow in PIPELINE:
                assert submit(flow).get(timeout=240)
            for words in (["alerts", "sync"], ["reports", "sync"]):
                before.run(*words)
            for words in (["migrate"], ["deploy"]):
                after.run(*words)
            all_succeed()
            with after.worker():
                burst()
                tell_once(warehouse, told)


def burst() -> None:
    """Run all deployments at once, on both workers."""
    names = [str(entry) for entry in deployed_flows()]  # one run of each at a time
    runs = [submit(name, **PARAMETERS.get(name.partition("/")[0], {})) for name in names]
    for run in runs:
        wait_until(run.ready, 400, 0.3)
    failed = [f"{run}: {run.state()}" for run in runs if not run.successful()]
    assert not failed
    assert started(runs) == {1}
    assert set(taken_by(runs)) == {"before", "after"}


def tell_once(warehouse: str, told: Receivers) -> None:
    """Let a rule fire; whichever worker evaluates it, one message is sent."""
    for change in (ERASURES_DONE, ERASURES_LATE):
        execute(warehouse, change)
        assert submit("refresh-materialized-views", view_names=["compliance_kpis"]).get(timeout=120)
        for _ in range(4):
            execute(warehouse, NEXT_PERIOD)
            assert submit("process-pending-alerts").get(timeout=120)
        if change == ERASURES_DONE:
            told.hook.requests.clear()
    wait_until(lambda: told.posted(RULE), 60)
    assert told.posted(RULE) == ["firing"]
    assert max(Counter(told.hook.keys()).values()) == 1
