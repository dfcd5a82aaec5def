"""Flows that show what a worker must be able to do; the tests copy this file and deploy it."""

import asyncio
import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, cast

from prefect import Flow, flow, get_client, get_run_logger, pause_flow_run, suspend_flow_run, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.states import Failed
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

from analytics_worker.prefect_support import warm_process
from analytics_worker.prefect_support.flow import flow as our_flow
from analytics_worker.prefect_support.results import flow_result


@task
def double(number: int) -> int:
    return number * 2


@flow(persist_result=True, result_serializer="json")
def own_run() -> list[dict[str, Any]]:
    """Return the run as its process has it, and as the server has it."""
    context = FlowRunContext.get()
    assert context
    assert context.flow_run
    with get_client(sync_client=True) as client:
        runs = context.flow_run, client.read_flow_run(context.flow_run.id)
    return [run.model_dump(mode="json") for run in runs]


@flow
def ok(number: int = 21) -> int:
    get_run_logger().info("doubling %s", number)
    sys.stdout.write("printed by the flow\n")
    return double(number)


@flow(persist_result=True, result_serializer="json")
def persisted() -> dict[str, int]:
    return {"answer": 42}


@our_flow(timeout_seconds=60)
def reported() -> Any:
    return {**flow_result("partial", "one of two"), "answer": 42}


@flow
async def asynchronous(seconds: float = 0.05) -> str:
    await asyncio.sleep(seconds)
    return "awaited"


@flow
def failing() -> None:
    raise ValueError("the input is wrong")


@flow(persist_result=True, result_serializer="json")
def failed_with_data() -> State[Any]:
    return Failed(message="one of two failed", name="Partial", data={"status": "partial"})


def _first_time(marker: str) -> bool:
    path = Path(marker)
    if path.exists():
        return False
    path.touch()
    return True


@task(retries=2, retry_delay_seconds=0)
def flaky(marker: str) -> str:
    if _first_time(marker):
        raise RuntimeError("not yet")
    return "at last"


@flow
def task_retries(marker: str) -> str:
    return flaky(marker)


@flow(retries=1, retry_delay_seconds=0)
def flow_retries(marker: str) -> str:
    if _first_time(marker):
        raise RuntimeError("not yet")
    return "at last"


@flow
def child(number: int) -> int:
    return number + 1


@flow
def with_subflow() -> int:
    return child(1)


@flow(task_runner=cast("Any", ThreadPoolTaskRunner(max_workers=2)))
def with_threads() -> int:
    return sum(double.map([1, 2, 3]).result())


@flow(task_runner=cast("Any", ProcessPoolTaskRunner(max_workers=2)))
def with_processes() -> int:
    return sum(double.map([1, 2, 3]).result())


@flow
def with_artifact() -> None:
    create_markdown_artifact("# seen", key="seen-by-the-worker")


@flow(persist_result=True, result_serializer="json")
def environment() -> dict[str, str | None]:
    names = ("CASE_VARIABLE", "PREFECT__DEPLOYMENT_NAME", "PREFECT_LOGGING_LEVEL")
    return {**{name: os.environ.get(name) for name in names}, "cwd": str(Path.cwd())}


@flow(persist_result=True)
def suspending() -> str:
    suspend_flow_run(timeout=60)
    return "resumed"


@task
def append_line(path: str) -> None:
    with Path(path).open("a") as file:
        file.write("done\n")
    time.sleep(0.2)


@flow
def stepwise(path: str, steps: int) -> None:
    for _ in range(steps):
        append_line(path)


@flow
def pausing() -> str:
    pause_flow_run(timeout=60, poll_interval=1)
    return "resumed"


@flow
def sleeping(seconds: float = 60.0) -> None:
    time.sleep(seconds)


@flow
def failing_later(seconds: float) -> None:
    time.sleep(seconds)
    raise ValueError("too late")


@flow
def stubborn(seconds: float = 60.0) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(seconds)


@flow
def exiting(code: int = 0) -> None:
    sys.stdout.flush()
    os._exit(code)


@flow
def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@flow
def segfault() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@flow
def hungry(megabytes: int = 600) -> None:
    blocks = []
    for _ in range(megabytes // 10):
        blocks.append(bytearray(os.urandom(1024) * 10240))
        time.sleep(0.02)
    time.sleep(60)


def note_hook(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001  # Prefect's names
    Path(f"hook-{state.name}").write_text(str(flow_run.id))


@flow(on_crashed=[note_hook], on_cancellation=[note_hook])
def hooked(seconds: float = 60.0, crash: bool = False) -> None:
    if crash:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(seconds)


@flow
def spare() -> dict[str, bool]:
    """Whether a program started now finds dbt imported, and whether a second one works, too."""
    program = Path("spare_program.py")
    program.write_text("import sys; print('dbt.adapters.postgres' in sys.modules)")
    return {number: _imported_dbt(program) for number in ("first", "second")}


def _imported_dbt(program: Path) -> bool:
    answer = program.with_suffix(".txt")
    with answer.open("wb") as out, Path(os.devnull).open("rb") as nothing:
        process = warm_process.start_program(
            program,
            [],
            directory=Path.cwd(),
            environment=os.environ,
            streams=(nothing.fileno(), out.fileno(), out.fileno()),
        )
    assert process.wait(30) == 0
    return answer.read_text().strip() == "True"


@flow
def holding_the_lock(seconds: int = 150) -> None:
    """Compute in C without letting another thread of this interpreter run."""
    ctypes.PyDLL(None).sleep(seconds)
