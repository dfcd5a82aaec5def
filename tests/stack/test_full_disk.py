"""A state folder on a full or read-only disk: the worker says which, and what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import Server, our_worker
from tests.support.small_disk import fill, make_read_only
from tests.support.wait_until import wait_until


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (fill, "no space left, 0.0 of 1.0 MB are free: free some space there"),
        (make_read_only, "its file system is read-only: mount it for writing"),
    ],
)
def test_a_worker_names_its_state_folder(
    small_disk: Path,
    prefect_server: Server,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    reason: str,
):
    spoil(small_disk)
    state = small_disk / "state"
    variables = {
        "PREFECT_API_URL": prefect_server.api_url,
        "PREFECT_HOME": str(tmp_path / "home"),
        "STATE_DIR": str(state),
    }
    with our_worker("any", variables, tmp_path / "log") as worker:
        wait_until(lambda: worker.ended() is not None, timeout=60)
        assert worker.ended() == 1
        line = worker.output().splitlines()[-1]
    assert line == f"error: {state} can't be written: {reason}, or set STATE_DIR to another folder"
