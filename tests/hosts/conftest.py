"""A pool that the hosts serve."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.case_runs import Workspace
from tests.support.processes import Server


@pytest.fixture
def work(prefect_server: Server, tmp_path: Path) -> Iterator[Workspace]:
    """Case flows, below a folder that all hosts have."""
    pool = f"hosts-{uuid4().hex[:8]}"
    workspace = Workspace(tmp_path / "flows", prefect_server.api_url, pool, limit=2)
    yield workspace
    workspace.close()
