"""Start one claimed run: forked, the way Prefect starts it, or not at all.

A run that needs nothing but a folder is forked. Any other run is started as Prefect does it, where
the operator allows that, and ends as Failed where not. Writes states, and a record of each process
for the worker that comes after this one was killed.
"""

import functools
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import Abort
from prefect.states import Failed
from prefect.types import KeyValueLabels
from prefect.utilities.engine import propose_state
from prefect.workers.process import ProcessWorker, ProcessWorkerResult
from typing_extensions import override

from analytics_worker.process_identity import ProcessIdentity, remove_record
from analytics_worker.worker.caching_client import CachingClient
from analytics_worker.worker.fork_server.protocol import ForkRequest
from analytics_worker.worker.job import Job
from analytics_worker.worker.job_override_policy import JobPolicy, JobRefusedError
from analytics_worker.worker.run_executor import NO_FINAL_STATE, RunExecutor
from analytics_worker.worker.run_spec import CodeLocation, LaunchOptions
from analytics_worker.worker.server_facts import ServerFacts
from analytics_worker.worker.worker_identity import WORKER_LABEL

TaskStatus = anyio.abc.TaskStatus[Any]


@dataclass(frozen=True)
class StartRecorder(anyio.abc.TaskStatus[int]):
    """Note a process that Prefect started, then report that the run has started."""

    status: TaskStatus
    record: Path

    @override
    def started(self, value: int | None = None) -> None:
        """Note it, also if it has ended already: its run must not be started a second time."""
        if value is not None:
            process = ProcessIdentity.of(value) or ProcessIdentity(value, 0, "ended")
            process.write(self.record)
        self.status.started(value)


class RunStarter(ProcessWorker, ABC):
    """The part of a pool's worker that executes runs to their end."""

    pool: str
    worker_id: str
    _run_executor: RunExecutor
    _launch_options: LaunchOptions
    _policy: JobPolicy
    _active_count: int
    """Runs that have a process, or are about to."""

    @functools.cached_property
    def _facts(self) -> ServerFacts:
        return ServerFacts()

    async def label(self, run: UUID) -> None:
        """Note this worker on the run, before it is claimed."""
        await self.client.update_flow_run_labels(run, self._labels())

    def _labels(self) -> KeyValueLabels:
        return {
            WORKER_LABEL: self.worker_id,
            "prefect.worker.name": self.name,
            "prefect.worker.type": self.type,
            "prefect.work-pool.name": self.pool,
            "prefect.work-pool.id": str(self.work_pool.id),
        }

    async def read_facts(self) -> None:
        """Read what no run should ask the server again."""
        await self._facts.refresh(self.client)

    @abstractmethod
    def wake(self, *, for_work: bool = False) -> None:
        """Look for work: a slot is free."""

    async def run(  # pyright: ignore[reportIncompatibleMethodOverride]  # Job is its configuration class
        self, flow_run: FlowRun, configuration: Job, task_status: TaskStatus | None = None
    ) -> ProcessWorkerResult:
        """Execute one run to its end."""
        status = task_status or anyio.TASK_STATUS_IGNORED
        self._active_count += 1
        try:
            code_location = await self._code_location(flow_run, configuration)
            if code_location is None:
                return await self._start(flow_run, configuration, status)
            if code_location.note:
                self.get_flow_run_logger(flow_run).warning("%s", code_location.note)
            request = self._request(flow_run, configuration, code_location)
            request["flow_run"] = (await self._as_claimed(flow_run)).model_dump(mode="json")
            return await self._fork(flow_run, request, status)
        except JobRefusedError as refusal:
            return await self._refuse(flow_run, refusal, status)
        finally:
            self._active_count -= 1
            self.wake()

    async def _code_location(self, flow_run: FlowRun, job: Job) -> CodeLocation | None:
        """Return the location of the run's code; None: start it as Prefect does, which reads the deployment again.

        Raises:
            JobRefusedError: it requests an override that is not allowed.
        """
        self._policy.check(job)
        known = flow_run.deployment_id
        deployment = await self.client.read_deployment(known) if known else None
        if not self._policy.allow_overrides:
            return self._policy.code_location(job, deployment)
        if deployment is None or not job.can_be_forked:
            return None
        return self._policy.any_code_location(deployment)

    @override
    async def _propose_submitting_state(self, flow_run: FlowRun) -> None:
        """Left out for a run that is forked: it is Running before the state could be seen."""

    def _request(self, flow_run: FlowRun, job: Job, code_location: CodeLocation) -> ForkRequest:
        worker = {
            "PREFECT__WORKER_NAME": self.name,
            "PREFECT__WORKER_ID": str(self.backend_id) if self.backend_id else None,
        }
        request = self._launch_options.request(flow_run, job, code_location, worker)
        request["facts"] = self._facts.known(super().client)
        return request

    async def _as_claimed(self, flow_run: FlowRun) -> FlowRun:
        """Return the run as the server has it since it was claimed, with what the queue leaves out."""
        known = flow_run.deployment_id
        deployment = await self.client.read_deployment(known) if known else None
        is_own_queue = deployment and deployment.work_queue_id == flow_run.work_queue_id
        state = CachingClient.last_state(flow_run.id) or flow_run.state
        values = {
            "labels": {**flow_run.labels, **self._labels()},
            "work_pool_name": self.pool,
            "work_pool_id": self.work_pool.id,
            "work_queue_name": deployment.work_queue_name if deployment and is_own_queue else None,
            "state": state,
            "state_id": state and state.id,
            "state_type": state and state.type,
            "state_name": state and state.name,
        }
        return flow_run.model_copy(update=values)

    async def _fork(
        self, flow_run: FlowRun, request: ForkRequest, status: TaskStatus
    ) -> ProcessWorkerResult:
        result = await self._run_executor.execute(flow_run, request, status.started)
        remove_record(self._launch_options.records / str(flow_run.id))
        if result is None or result.status_code is None:
            raise RuntimeError("Failed to start flow run process.")
        return ProcessWorkerResult(
            status_code=result.status_code, identifier=str(result.handle.pid)
        )

    async def _start(self, flow_run: FlowRun, job: Job, status: TaskStatus) -> ProcessWorkerResult:
        """Prefect's way, but a process that reports no end is a crash."""
        await super()._propose_submitting_state(flow_run)
        record = self._launch_options.records / f"{flow_run.id}.started"
        result = await super().run(flow_run, job, StartRecorder(status, record))
        await self._run_executor.settle(flow_run.id, NO_FINAL_STATE)
        remove_record(record)
        return result

    async def _refuse(
        self, flow_run: FlowRun, refusal: JobRefusedError, status: TaskStatus
    ) -> ProcessWorkerResult:
        """End the run before anything of it was executed.

        Failed, not Crashed: the host is well, and who repeats crashed runs would repeat this one.
        """
        self.get_flow_run_logger(flow_run).error("%s", refusal)
        with suppress(Abort):  # it has ended already
            failed: State[Any] = Failed(message=str(refusal))
            await propose_state(self.client, failed, flow_run_id=flow_run.id)
        status.started(refusal)  # an error is not noted as the run's process
        return ProcessWorkerResult(status_code=0, identifier="none")
