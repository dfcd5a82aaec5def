"""Execute runs: start them as forked children, cancel them on request, report how they end.

One for the whole worker process, over all pools: one API client, one control channel. Prefect's own
worker opens a client, a channel and a websocket per run. Writes the states that a run's own process
can't write: Cancelled, and Crashed with the reason.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Self, cast
from uuid import UUID

import anyio
import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging import get_logger

from analytics_worker.prefect_support.api_problems import api_problem
from analytics_worker.worker import prefect_internals
from analytics_worker.worker.foreign_answers import refuse_foreign_answers
from analytics_worker.worker.fork_server.pool import ForkServerPool
from analytics_worker.worker.fork_server.protocol import ForkRequest
from analytics_worker.worker.prefect_internals import (
    CancellationManager,
    ControlChannel,
    EventEmitter,
    FlowRunExecutionResult,
    ProcessManager,
    StateProposer,
)

KEEP_REQUEST_SECONDS = 300.0
"""Cancellation hooks run after the process has ended."""
NO_FINAL_STATE = "The run's process exited with status code 0 before the run had a final state."

logger = get_logger("analytics_worker.worker.run_executor")


class StateReporter(StateProposer):
    """Prefect's proposer of states, which prefers a known reason to the exit status."""

    def __init__(self, client: PrefectClient) -> None:
        super().__init__(client=client)
        self.reasons: dict[UUID, str] = {}

    async def propose_crashed(self, flow_run: FlowRun, message: str) -> State[Any] | None:
        """Propose Crashed with the best reason there is."""
        reason = self.reasons.pop(flow_run.id, message)
        return await super().propose_crashed(flow_run, reason)


class HookRunner:
    """Run on_cancellation and on_crashed hooks in a child, never in the worker."""

    def __init__(self, fork_servers: ForkServerPool) -> None:
        self._fork_servers = fork_servers
        self.requests: dict[UUID, ForkRequest] = {}

    async def run_cancellation_hooks(self, flow_run: FlowRun, state: State[Any]) -> None:
        """Run them to their end."""
        await self._run("cancellation", flow_run, state)

    async def run_crashed_hooks(self, flow_run: FlowRun, state: State[Any]) -> None:
        """Run them to their end."""
        await self._run("crashed", flow_run, state)

    async def _run(self, kind: str, flow_run: FlowRun, state: State[Any]) -> None:
        request = self.requests.get(flow_run.id)
        if request is None:
            return
        wanted: ForkRequest = {**request, "kind": kind, "record": None, "spare": False}
        wanted["flow_run"] = flow_run.model_dump(mode="json")
        wanted["state"] = state.model_dump(mode="json")
        child = await self._fork_servers.fork(wanted)
        await child.exited.wait()


class ForkStarter:
    """Start one run's process with the interface of Prefect's executor."""

    def __init__(
        self, fork_servers: ForkServerPool, request: ForkRequest, channel: ControlChannel
    ) -> None:
        self._fork_servers = fork_servers
        self._request = request
        self._channel = channel

    async def start(self, flow_run: FlowRun, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
        """Fork, hand over the process, wait for its end."""
        try:
            port, token = self._channel.register(flow_run.id)
        except RuntimeError:  # no listener: cancellation is SIGTERM alone, as in Prefect
            control = dict[str, str]()
        else:
            control = {"PREFECT__CONTROL_PORT": str(port), "PREFECT__CONTROL_TOKEN": token}
        environment = {**self._request["environment"], **control}
        try:
            child = await self._fork_servers.fork({**self._request, "environment": environment})
        except BaseException:
            self._channel.unregister(flow_run.id)
            raise
        task_status.started(prefect_internals.process_handle(child))
        await child.exited.wait()


class RunExecutor:
    """The runs that this process executes. Use as an async context manager."""

    def __init__(self, fork_servers: ForkServerPool) -> None:
        self.fork_servers = fork_servers
        self.active: set[UUID] = set()
        self._hooks = HookRunner(fork_servers)
        self._channel = ControlChannel()
        self._started: dict[UUID, asyncio.Event] = {}
        self._cancelling: dict[UUID, asyncio.Event] = {}
        self._concluded: set[UUID] = set()
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the client and the control channel."""
        self.client = await self._stack.enter_async_context(get_client())
        refuse_foreign_answers(self.client)
        await self._stack.enter_async_context(self._channel)
        self._processes = await self._stack.enter_async_context(
            ProcessManager(on_remove=self._unregister_channel)
        )
        self._state_reporter = StateReporter(self.client)
        self._cancellation = CancellationManager(
            process_manager=self._processes,
            hook_runner=self._hooks,
            state_proposer=self._state_reporter,
            event_emitter=cast("EventEmitter", prefect_internals.LazyEmitter(self.client)),
            client=self.client,
            control_channel=self._channel,
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End what still runs, then close."""
        await self._stack.aclose()

    async def _unregister_channel(self, flow_run_id: UUID) -> None:
        self._channel.unregister(flow_run_id)

    def pids(self) -> dict[UUID, int]:
        """The processes of the runs that have one now."""
        found = {run: self._processes.get(run) for run in self._processes.flow_run_ids()}
        return {run: handle.pid for run, handle in found.items() if handle and handle.pid}

    async def execute(
        self, flow_run: FlowRun, request: ForkRequest, started: Callable[[int], None]
    ) -> FlowRunExecutionResult | None:
        """Run the flow run in a child until it has ended and its end is reported."""
        run = flow_run.id
        self._hooks.requests[run] = request
        self.active.add(run)
        has_process = self._started[run] = asyncio.Event()
        try:
            try:
                result = await self._run_in_child(flow_run, request, started)
            finally:
                has_process.set()  # it had one, or will never have
            await self._settle(flow_run)
        finally:
            self.active.discard(run)
            self._concluded.discard(run)
            self._started.pop(run, None)
            loop = asyncio.get_running_loop()
            loop.call_later(KEEP_REQUEST_SECONDS, self._hooks.requests.pop, run, None)
        return result

    async def _run_in_child(
        self, flow_run: FlowRun, request: ForkRequest, started: Callable[[int], None]
    ) -> FlowRunExecutionResult | None:
        flow_run_executor = prefect_internals.flow_run_executor(
            flow_run,
            starter=ForkStarter(self.fork_servers, request, self._channel),
            process_manager=self._processes,
            state_proposer=self._state_reporter,
            hook_runner=self._hooks,
            conclusion=self._conclusion,
        )
        result: list[FlowRunExecutionResult | None] = []

        async def submit(*, task_status: Any) -> None:
            result.append(await flow_run_executor.submit(task_status=task_status))

        async with anyio.create_task_group() as group:
            handle = await group.start(submit)
            self._started[flow_run.id].set()
            started(handle.pid)
        return result[0]

    def _conclusion(self, run: UUID) -> Any:
        """Return what the run's process reported about its end; read once, after it has ended."""
        conclusion = self._channel.get_conclusion(run)
        if conclusion is not None:
            self._concluded.add(run)
        return conclusion

    async def _settle(self, flow_run: FlowRun) -> None:
        """See to it that a run without a process is in a state of one."""
        run = flow_run.id
        if run in self._cancelling:
            await self._cancelling[run].wait()
        elif run in self._concluded or await self._was_suspended(flow_run):
            return
        await self.settle(run, NO_FINAL_STATE)

    async def _was_suspended(self, flow_run: FlowRun) -> bool:
        """Return whether the run was suspended since its process began: a later state is not of that."""
        states = await self.client.read_flow_run_states(flow_run.id)
        states.sort(key=lambda state: state.timestamp)
        ids: list[UUID | None] = [state.id for state in states]
        began = ids.index(flow_run.state_id) if flow_run.state_id in ids else len(ids)
        return any(state.is_paused() for state in states[began:])

    async def settle(self, run: UUID, reason: str) -> None:
        """Give a run whose process has ended the final state that it failed to reach, if any."""
        flow_run = await self.client.read_flow_run(run)
        state = flow_run.state
        if state is None or state.is_final():
            return
        if state.is_cancelling():
            message = {"message": "Flow run was cancelled successfully."}
            await self._state_reporter.propose_cancelled(flow_run, message)
        elif state.is_pending() or state.is_running():
            await self._state_reporter.propose_crashed(flow_run, reason)

    async def cancel(self, run: UUID) -> None:
        """Stop the run's process and report the run as cancelled."""
        if run in self._cancelling or run not in self.active:
            return
        done = self._cancelling[run] = asyncio.Event()
        try:
            await self._started[run].wait()  # claimed, but its process may still be coming
            await self._cancellation.cancel_by_id(run)
        except httpx.HTTPError as error:
            logger.warning("run %s is not cancelled yet: %s", run, api_problem(error))
        finally:
            self._cancelling.pop(run)  # if it failed, the next look at the server tries again
            done.set()

    async def kill(self, run: UUID, reason: str) -> None:
        """End the run's processes at once; it ends as Crashed with that reason."""
        self._state_reporter.reasons[run] = reason
        await self._processes.kill(run, force=True)
