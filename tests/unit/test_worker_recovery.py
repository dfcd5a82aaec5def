"""What happens to runs of a dead worker: this host's own notes decide, not the API's data."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, Worker, WorkerStatus
from prefect.states import Cancelling, Pending, Running

from analytics_worker.process_identity import NameLock, ProcessIdentity
from analytics_worker.worker import recovery as recovery_module
from analytics_worker.worker.recovery import Recovery
from analytics_worker.worker.run_executor import RunExecutor
from analytics_worker.worker.worker_identity import WORKER_LABEL, Identity, WorkerIdentity
from tests.support.attacks import attack


class Recorder:
    """Stands in for executor and client: returns the run and records its final state."""

    def __init__(self, run: FlowRun, online: tuple[str, ...] = ()) -> None:
        self.run = run
        self.online = online
        self.client = self
        self.done: list[str] = []

    async def read_flow_runs(self, **_: object) -> list[FlowRun]:
        return [self.run]

    async def read_workers_for_work_pool(self, _pool: str, **_: object) -> list[Worker]:
        return [
            Worker(name=name, work_pool_id=uuid4(), status=WorkerStatus.ONLINE)
            for name in self.online
        ]

    async def read_flow_run(self, _run: UUID) -> FlowRun:
        return self.run

    async def set_flow_run_state(self, _run: UUID, state: Any, **_: object) -> None:
        self.done.append(state.name)

    async def settle(self, _run: UUID, reason: str) -> None:
        self.done.append(reason)


def run_of(state: Any, owner: str, pid: str | None = None) -> FlowRun:
    labels: Any = {"prefect.worker.name": "worker-p", WORKER_LABEL: owner}
    pool: Any = {"work_pool_name": "p", "infrastructure_pid": pid}
    return FlowRun(id=uuid4(), flow_id=uuid4(), name="r", state=state, labels=labels, **pool)


def identity(folder: Path, name: str = "me") -> WorkerIdentity:
    """The identity of a worker of that name, which ends at once."""
    lock = NameLock(folder / f"{name}.lock")
    assert lock.acquire()
    taken = WorkerIdentity(lock)
    lock.release()
    return taken


def swept(folder: Path, run: FlowRun, online: tuple[str, ...] = ()) -> list[str]:
    """What two sweeps do to the run; an owner "me" is the worker itself."""
    me = identity(folder)
    if run.labels[WORKER_LABEL] == "me":
        run.labels[WORKER_LABEL] = me.id
    recorder = Recorder(run, online)
    run_executor = cast("RunExecutor", recorder)

    async def sweep() -> None:
        recovery = Recovery(run_executor, folder, me, ["p"], lambda _: False)
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
    what="a run's label with the worker's id is a path, or longer than a file name may be",
    answer="no file is opened, and other abandoned runs are still looked after",
)
@pytest.mark.parametrize("owner", ["../outside", "x" * 5000, "a\0b", "*", ""])
def test_a_label_never_becomes_a_path(tmp_path: Path, owner: str):
    folder = tmp_path / "worker"
    folder.mkdir()
    (tmp_path / "outside.lock").touch()
    NameLock(folder / "other.lock").acquire()
    assert swept(folder, run_of(Pending(), owner)) == []


def test_runs_of_another_worker_of_this_folder_are_settled_once_it_has_ended(tmp_path: Path):
    other = identity(tmp_path, "other")
    lock = NameLock(tmp_path / "other.lock")
    assert lock.acquire()
    assert swept(tmp_path, run_of(Running(), other.id)) == []
    lock.release()
    assert "process has ended" in swept(tmp_path, run_of(Running(), other.id))[0]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recovery_module, "OFFLINE_SECONDS", 0.0)


def moved(folder: Path, name: str = "me", **place: Any) -> str:
    """Let the worker of that name have been somewhere else. Its id there."""
    identity(folder, name)
    path = folder / f"{name}.lock"
    content = json.loads(path.read_text())
    content["place"] |= place
    path.write_text(json.dumps(content))
    return content["id"]


elsewhere = pytest.mark.parametrize(
    "place", [{"boot": "another"}, {"namespace": 1}, {"device": 1}, {"inode": 1}]
)


@elsewhere
def test_a_worker_in_another_place_is_another_worker(tmp_path: Path, place: dict[str, Any]):
    original = moved(tmp_path, **place)
    copy = identity(tmp_path)
    assert copy.id != original
    assert copy.id == identity(tmp_path).id
    assert copy.name != f"me-{original[:8]}"


@elsewhere
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", ["me", "other"])
def test_runs_of_the_original_of_this_folder_are_its_own(
    tmp_path: Path, place: dict[str, Any], name: str
):
    """The original may live: only the server knows."""
    original = moved(tmp_path, name, **place)
    assert swept(tmp_path, run_of(Pending(), original), ("worker-p",)) == []
    assert swept(tmp_path, run_of(Running(), original)) == []
    assert swept(tmp_path, run_of(Pending(), original)) == ["Scheduled"]


@pytest.mark.usefixtures("impatient")
def test_a_run_that_may_have_started_elsewhere_is_not_queued_again(tmp_path: Path):
    run = run_of(Pending(), moved(tmp_path, boot="another"))
    (tmp_path / "runs").mkdir()
    ProcessIdentity(999_999_999, 0, "ended").write(tmp_path / "runs" / str(run.id))
    assert swept(tmp_path, run) == []


def test_an_original_that_was_offline_for_a_moment_keeps_its_runs(tmp_path: Path):
    """After its own downtime the server calls every worker offline."""
    assert swept(tmp_path, run_of(Pending(), moved(tmp_path, boot="another"))) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": 1}', "\0", '{"id": "x", "place": {}}'])
def test_a_damaged_lock_file_is_replaced(tmp_path: Path, text: str):
    path = tmp_path / "me.lock"
    path.write_text(text)
    taken = identity(tmp_path)
    assert json.loads(path.read_text())["id"] == taken.id
    assert identity(tmp_path).id == taken.id


def test_former_ids_are_bounded(tmp_path: Path):
    for number in range(30):
        moved(tmp_path, inode=number)
    lock = NameLock(tmp_path / "me.lock")
    assert lock.acquire()
    former = Identity.take(lock).former
    assert len(set(former)) == 20
