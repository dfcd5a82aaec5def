# pyright: reportPrivateUsage=false
"""List every private name of Prefect that the worker depends on.

Prefect has public classes for workers, but none for starting a run's process, cancelling it, or
being that process. ``pyproject.toml`` bounds the version. A unit test checks each name and signature
listed here, so that an upgrade fails there and not in a run. Reads and writes nothing.
"""

import contextvars
import os
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
import prefect.flow_engine
from prefect._flow_run_suspension import FlowRunSuspensionRequest
from prefect._flow_run_suspension import observe_flow_run_suspension as _observe_suspension
from prefect._internal import control_listener
from prefect._internal.control_listener import configure_from_env
from prefect._internal.metrics import RunMetrics
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.engine import _drive_run_flow_result, handle_engine_signals
from prefect.flow_engine import load_flow as _load_flow
from prefect.flow_engine import run_flow
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.logging.loggers import flow_run_logger
from prefect.runner._cancellation_manager import CancellationManager
from prefect.runner._control_channel import ControlChannel
from prefect.runner._event_emitter import EventEmitter
from prefect.runner._flow_run_executor import FlowRunExecutionResult, FlowRunExecutor
from prefect.runner._hook_runner import _run_hooks as run_hooks
from prefect.runner._process_manager import (
    ProcessHandle,
    ProcessManager,
    create_isolated_termination_scope,
)
from prefect.runner._state_proposer import StateProposer

__all__ = [
    "CancellationManager",
    "ControlChannel",
    "EventEmitter",
    "FlowRunExecutionResult",
    "FlowRunExecutor",
    "ProcessHandle",
    "ProcessManager",
    "RunMetrics",
    "StateProposer",
    "configure_from_env",
    "flow_run_logger",
    "handle_engine_signals",
    "load_flow",
    "run_hooks",
]

# Methods and attributes of the base worker that PoolWorker overrides or reads.
WORKER_METHODS = (
    "_emit_worker_started_event",
    "_give_worker_labels_to_flow_run",
    "_propose_crashed_state",
    "_propose_pending_state",
    "_propose_submitting_state",
    "_submit_run",
    "_submit_run_and_capture_errors",
    "_submit_scheduled_flow_runs",
    "_sync_and_initialize",
    "_worker_metadata",
)
WORKER_ATTRIBUTES = (
    "_exit_stack",
    "_has_successfully_synced",
    "_logger",
    "_started_event",
    "_submitting_flow_run_ids",
    "_work_pool",
    "_work_pool_name",
)

SUSPENSION_DELAY_SECONDS = 0.5


def adjust_heartbeats(first_after_seconds: float) -> None:
    """Send a run's first heartbeat some seconds after its start, and do not wait for the thread at its end.

    The first one of a short run arrives after its end, because it takes another way to the server. The server
    then expects the next one, and tries to crash the run that has completed. Async flows don't wait either;
    the thread is a daemon, and looks at the run's state before each beat. There is no setting for either.
    """
    prompt = prefect.flow_engine._send_heartbeats  # noqa: SLF001

    @contextmanager
    def delayed(engine: Any, join_on_exit: bool = True) -> Generator[None]:  # noqa: ARG001  # Prefect's signature
        ended = _delay_first_heartbeat(engine, first_after_seconds)
        with prompt(engine, join_on_exit=False):
            try:
                yield
            finally:
                ended.set()

    prefect.flow_engine._send_heartbeats = delayed  # noqa: SLF001


def _delay_first_heartbeat(engine: Any, seconds: float) -> threading.Event:
    """Let the thread wait before its first heartbeat; return the event that ends the wait, and the heartbeats."""
    ended, emit = threading.Event(), engine._emit_flow_run_heartbeat  # noqa: SLF001
    is_late = threading.Event()

    def emit_unless_ended(*template: Any) -> None:
        if not is_late.is_set():
            ended.wait(seconds)
            is_late.set()
        if not ended.is_set():
            emit(*template)

    engine._emit_flow_run_heartbeat = emit_unless_ended  # noqa: SLF001
    return ended


def delay_suspension_observer() -> None:
    """Do not let every run connect to the server's events before it starts, to be notified of a suspension.

    A run looks for one when it has lasted `SUSPENSION_DELAY_SECONDS`: most have ended by then. What happened
    before is in the run's state, which the observer reads first. There is no setting for it.
    """
    name = "observe_flow_run_suspension"
    setattr(prefect.flow_engine, name, _observe_suspension_later)


@contextmanager
def _observe_suspension_later(
    flow_run_id: UUID, suspension_request: FlowRunSuspensionRequest
) -> Generator[None]:
    ended = threading.Event()

    def observe() -> None:
        if not ended.wait(SUSPENSION_DELAY_SECONDS):
            with _observe_suspension(flow_run_id, suspension_request):
                ended.wait()

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(observe,), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def enable_cancellation() -> None:
    """Let SIGTERM cancel this process's run, which then reports that and runs its hooks itself.

    For a run whose worker has ended: SIGTERM alone would be a crash.
    """
    os.environ["PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"] = "true"  # noqa: TID251  # Prefect's switch
    control_listener._set_intent("cancel")  # noqa: SLF001


def load_flow(flow_run: FlowRun) -> Flow[..., Any]:
    """The flow that PREFECT__FLOW_ENTRYPOINT names."""
    return _load_flow(flow_run)


def load_only_flow(_flow_run: FlowRun) -> Flow[..., Any]:
    """The flow that PREFECT__FLOW_ENTRYPOINT names.

    Prefect makes a flow of any function that an entrypoint reaches: ``file.py:os.system``.

    Raises:
        MissingFlowError: it names no flow.
    """
    entrypoint = os.environ["PREFECT__FLOW_ENTRYPOINT"]  # noqa: TID251  # set by the worker
    return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)


def execute_flow(flow: Flow[..., Any], flow_run: FlowRun, error_logger: Any) -> None:
    """Run the flow to its end in this thread, as ``python -m prefect.engine`` does.

    Requests the state instead of the result where Prefect allows it: the result of a failed run
    with data is not an exception, and requesting it ends in a TypeError.
    """
    wanted = "result" if flow.isgenerator else "state"
    run = run_flow(flow, flow_run=flow_run, error_logger=error_logger, return_type=wanted)
    _drive_run_flow_result(flow, run)


def wants_csrf_tokens(client: PrefectClient) -> bool:
    """Whether the server may want CSRF tokens, as far as this client knows: the first one that it requests shows it."""
    return client._client.enable_csrf_support  # noqa: SLF001


def add_request_hooks(
    client: PrefectClient,
    before: Callable[[httpx.Request], Awaitable[None]] | None,
    after: Callable[[httpx.Response], Awaitable[None]],
) -> None:
    """Call functions with each request that the client sends, and with each response; the first ones first."""
    hooks = client._client.event_hooks  # noqa: SLF001
    hooks["request"].extend([before] if before else [])
    hooks["response"].append(after)


def process_handle(process: Any) -> ProcessHandle:
    """A handle for a child that leads a session of its own."""
    scope = create_isolated_termination_scope(process.pid)
    return ProcessHandle(process, termination_scope=scope)


def flow_run_executor(
    flow_run: FlowRun,
    *,
    starter: Any,
    process_manager: ProcessManager,
    state_proposer: StateProposer,
    hook_runner: Any,
    conclusion: Callable[[UUID], Any],
) -> FlowRunExecutor:
    """Return the object that executes one run, from its start to the report of how its process ended."""
    return FlowRunExecutor(
        flow_run=flow_run,
        starter=starter,
        process_manager=process_manager,
        state_proposer=state_proposer,
        hook_runner=hook_runner,
        get_attempt_conclusion=conclusion,
        propose_submitting=False,
    )


class LazyEmitter:
    """Emit the events of a cancellation; open a websocket only for them."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client

    def _emitter(self) -> EventEmitter:
        return EventEmitter(runner_name="standalone", client=self._client)

    async def get_flow_and_deployment(self, flow_run: FlowRun) -> tuple[Any, Any]:
        """Return the flow and deployment that the event names as related."""
        return await self._emitter().get_flow_and_deployment(flow_run)

    async def emit_flow_run_cancelled(self, flow_run: FlowRun, **related: Any) -> None:
        """Emit the event that Prefect's runner emits when it has cancelled a run."""
        async with self._emitter() as emitter:
            await emitter.emit_flow_run_cancelled(flow_run=flow_run, **related)
