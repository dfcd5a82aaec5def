"""`submit` of an empty run until it is Completed, beside an empty job of procrastinate and DBOS.

All keep their queue on one PostgreSQL, each as its documentation shows it, with an idle worker, in turns; ours
also on SQLite, which `make up` starts. Each side keeps its settings, as a process that calls `submit` does: Prefect
takes 15 ms to validate changed ones. From before the submission to the instant at which the end is stored. They are
libraries inside the worker's process: no server, no process per job, no log, no heartbeat. DBOS' queues look for work
once a second by default.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from prefect.context import SettingsContext, get_settings_context
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    Settings,
    get_current_settings,
)

from analytics_worker.prefect_support.api_client import api_client
from benchmarks._queue_app import queue_app
from benchmarks._table import Row
from tests.support.case_runs import Workspace
from tests.support.contrib_postgres import MISSING, ContribPostgres, installed, server_on
from tests.support.prefect_server import worker_environment
from tests.support.processes import Server, our_worker

ROUNDS, WARM_UP = int(os.environ.get("EMPTY_RUN_ROUNDS", "40")), 3
KINDS = ("SQLite", "PostgreSQL")
OTHERS = ("procrastinate", "DBOS")

Side = Callable[[], float]


def measure() -> list[Row]:
    """Return the rows of all sides; none if this host has no PostgreSQL for a Prefect server."""
    if not installed():
        print(f"skipped: {MISSING}")
        return []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(ContribPostgres(folder / "pg", durable=True))
        sides: dict[str, Side] = {}
        for kind in KINDS:
            sides[kind] = stack.enter_context(_ours(kind, folder / kind, postgres))
        for name in OTHERS:
            sides[name] = stack.enter_context(queue_app(name, postgres)).run_empty
        return _rows(_in_turns(sides))


@contextmanager
def _ours(kind: str, folder: Path, postgres: ContribPostgres) -> Generator[Side]:
    on_postgres = kind == "PostgreSQL"
    home = folder / "server"
    with server_on(postgres, home) if on_postgres else Server(home) as server:
        work = Workspace(folder / "flows", server.api_url, "benchmark")
        work.deploy("empty")
        environment = worker_environment(server, folder)
        settings = _settings(server)
        with our_worker(work.pool, environment, folder / "worker.log") as worker:
            yield lambda: _submit(settings, work)
            worker.end()
        work.close()


def _settings(server: Server) -> Settings:
    """Return the settings of a process that reaches this server; both servers are used in turns."""
    changes: dict[Any, Any] = {
        PREFECT_API_URL: server.api_url,
        PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False,
    }
    return get_current_settings().copy_with_update(updates=changes)


def _submit(settings: Settings, work: Workspace) -> float:
    """Queue a run with the same calls as `submit`, which knows the project's own deployments only."""
    profile = get_settings_context().profile
    with SettingsContext(profile=profile, settings=settings):
        started = time.time()
        with api_client() as client:
            deployment = client.read_deployment_by_name(f"empty/{work.pool}-0")
            run = client.create_flow_run_from_deployment(deployment.id, parameters={})
    state = work.wait(run.id)
    assert state.is_completed(), state
    return state.timestamp.timestamp() - started


def _in_turns(sides: dict[str, Side]) -> dict[str, list[float]]:
    """Return the milliseconds of each side; the first rounds import, connect and fill caches."""
    results: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(WARM_UP + ROUNDS):
        for name, side in sides.items():
            milliseconds = side() * 1000
            results[name] += [milliseconds] if number >= WARM_UP else []
    return results


def _rows(results: dict[str, list[float]]) -> list[Row]:
    p50 = {name: statistics.median(values) for name, values in results.items()}
    p95 = {name: statistics.quantiles(values, n=20)[-1] for name, values in results.items()}
    what = "submit → Completed of an empty run"
    return [
        Row(f"{what}, server on {kind}, {label}", values[kind], "ms", other, values[other], goal)
        for kind in KINDS
        for other in OTHERS
        for label, values, goal in (("p50", p50, "≤ 200 ms"), ("p95", p95, ""))
    ]
