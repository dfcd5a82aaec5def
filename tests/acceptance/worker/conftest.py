"""A pool that the tests of a module attack as callers of the API."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.support.attacked_pool import Target
from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import Server, our_worker


@pytest.fixture(scope="module")
def served(
    prefect_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Workspace, httpx.Client]]:
    folder = tmp_path_factory.mktemp("guarded")
    pool = f"guarded-{uuid4().hex[:8]}"
    work = Workspace(folder / "flows", prefect_server.api_url, pool, limit=1)
    environment = worker_environment(prefect_server, folder)
    with (
        httpx.Client(base_url=prefect_server.api_url) as api,
        our_worker(pool, environment, folder / "worker.log") as worker,
    ):
        yield work, api
        worker.end()
    work.close()


@pytest.fixture
def target(served: tuple[Workspace, httpx.Client], tmp_path: Path) -> Target:
    return Target(*served, tmp_path / "marker")
