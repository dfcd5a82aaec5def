"""What happens to runs of a dead worker: this host's own notes decide, not the API's data."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling, Pending, Running

from analytics_worker.worker.process_identity import NameLock, ProcessIdentity
from analytics_worker.worker.recovery import Recovery
from analytics_worker.worker.run_executor import RunExecutor
from tests.support.attacks import attack


class Recorder:
    """Stands in for executor and client: returns the run and records its final state."""

    def __init__(self, run: FlowRun) -> None:
        self.run = run
        self.client = self
        self.done: list[str] = []

    async def read_flow_runs(self, **_: object) -> list[FlowRun]:
        return [self.run]

    async def read_flow_run(self, _run: UUID) -> FlowRun:
        return self.run

    async def set_flow_run_state(self, _run: UUID, state: Any, **_: object) -> None:
        self.done.append(state.name)

    async def settle(self, _run: UUID, reason: str) -> None:
        self.done.append(reason)


def run_of(state: Any, owner: str, pid: str | None = None) -> FlowRun:
    labels: Any = {"prefect.worker.name": f"{owner}-p", "prefect.work-pool.name": "p"}
    return FlowRun(
        id=uuid4(), flow_id=uuid4(), name="r", state=state, labels=labels, infrastructure_pid=pid
    )


def swept(folder: Path, run: FlowRun) -> list[str]:
    """What two sweeps do to the run."""
    recorder = Recorder(run)
    run_executor = cast("RunExecutor", recorder)

    async def sweep() -> None:
        recovery = Recovery(run_executor, folder, "me", ["p"], lambda _: False)
        for _ in range(2):
            await recovery.sweep()

    (folder / "runs").mkdir(exist_ok=True)
    asyncio.run(sweep())
    return recorder.done


@attack(
    by="API caller",
    what="a run's infrastructure_pid names another process of the host, then the run is cancelled",
    answer="that process is not touched: only processes that the worker noted itself are",
)
@pytest.mark.parametrize("state", [Cancelling(), Running()])
def test_a_process_that_only_the_api_names_is_not_touched(tmp_path: Path, state: Any):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, start_new_session=True) as p:
        done = swept(tmp_path, run_of(state, "me", str(p.pid)))
        assert ("process has ended" in done[0], p.poll()) == (True, None)
        p.kill()


@pytest.mark.parametrize("suffix", ["", ".started"])
def test_a_run_whose_process_is_gone_is_not_started_again(tmp_path: Path, suffix: str):
    run = run_of(Pending(), "me")
    record = tmp_path / "runs" / f"{run.id}{suffix}"
    record.parent.mkdir()
    ProcessIdentity(999_999_999, 0, "ended").write(record)
    assert "process has ended" in swept(tmp_path, run)[0]
    assert not record.exists()


def test_a_run_that_never_had_a_process_is_queued_again(tmp_path: Path):
    assert swept(tmp_path, run_of(Pending(), "me")) == ["Scheduled"]


@attack(
    by="API caller",
    what="a run's label prefect.worker.name is a path, or longer than a file name may be",
    answer="no file is opened, and other abandoned runs are still looked after",
)
@pytest.mark.parametrize("owner", ["../outside", "x" * 5000, "a\0b", "*", ""])
def test_a_label_never_becomes_a_path(tmp_path: Path, owner: str):
    folder = tmp_path / "worker"
    folder.mkdir()
    (tmp_path / "outside.lock").touch()
    NameLock(folder / "other.lock").acquire()
    assert swept(folder, run_of(Pending(), owner)) == []
