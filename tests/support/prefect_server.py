"""One Prefect server for all tests of a session, a pool and a worker for each kind of worker."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.case_runs import Workspace
from tests.support.hosts import server_addresses
from tests.support.processes import Process, Server, our_worker, stock_worker

WORKERS = {"ours": our_worker, "stock": stock_worker}


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that no test stops, also for the hosts of tests/support/hosts.py."""
    folder = tmp_path_factory.mktemp("server") / "prefect"
    with Server(folder, SERVER_ALLOWED_HOSTS=",".join(server_addresses())) as server:
        yield server


@pytest.fixture(scope="session")
def shared(
    prefect_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Workspace]]:
    """Case flows on a pool that a worker of the kind serves; started on first use."""
    started: dict[str, tuple[Workspace, Process]] = {}

    def serve(kind: str) -> Workspace:
        if kind not in started:
            folder = tmp_path_factory.mktemp(kind)
            workspace = Workspace(folder / "flows", prefect_server.api_url, f"pool-{kind}")
            environment = worker_environment(
                prefect_server, folder, WORKER_JOB_ENVIRONMENT="CASE_VARIABLE"
            )
            process = WORKERS[kind](workspace.pool, environment, folder / "worker.log")
            process.start()
            started[kind] = workspace, process
        return started[kind][0]

    yield serve
    for workspace, process in started.values():
        process.end()
        workspace.close()


def worker_environment(server: Server, folder: Path, **more: str) -> dict[str, str]:
    """What a worker needs to know: the server, folders of its own, and where the case flows are."""
    return {
        "PREFECT_API_URL": server.api_url,
        "PREFECT_HOME": str(folder / "home"),
        "STATE_DIR": str(folder / "state"),
        "WORKER_CODE_FOLDERS": str(folder),
        **more,
    }


@pytest.fixture
def pool(prefect_server: Server, tmp_path: Path) -> Iterator[Workspace]:
    """Case flows on a pool of this test, which lets one run at a time."""
    name = f"pool-{uuid4().hex[:8]}"
    workspace = Workspace(tmp_path / "flows", prefect_server.api_url, name, limit=1)
    yield workspace
    workspace.close()


@pytest.fixture
def start_worker(
    prefect_server: Server, pool: Workspace, tmp_path: Path
) -> Iterator[Callable[..., Process]]:
    """Start our worker on the test's pool; call it again for another one on the same host."""
    started: list[Process] = []

    def start(*options: str, **environment: str) -> Process:
        variables = worker_environment(prefect_server, tmp_path, **environment)
        log = tmp_path / f"worker-{len(started)}.log"
        worker = our_worker(pool.pool, variables, log, *options)
        worker.start()
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.end(signal.SIGKILL)
