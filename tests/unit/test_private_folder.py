"""What a worker creates is its owner's only, also where it is the first to need the state folder."""

import stat
from pathlib import Path

import pytest

from analytics_worker.process_identity import NameLock
from analytics_worker.worker.pool_log_handler import PoolLogHandler


@pytest.mark.parametrize(
    "create",
    [
        lambda state: NameLock(state / "worker" / "a.lock").acquire(),
        lambda state: PoolLogHandler(state / "logs", ["analytics"]),
    ],
    ids=["identity", "log"],
)
def test_every_folder_that_is_missing_is_private(tmp_path: Path, create):
    tmp_path.chmod(0o755)
    state = tmp_path / "host" / "state"
    create(state)
    created = [state.parent, *(each for each in state.parent.rglob("*") if each.is_dir())]
    assert {stat.S_IMODE(each.stat().st_mode) for each in created} == {0o700}
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
