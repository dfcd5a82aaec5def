"""Deploy the case flows and follow their runs."""

import re
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import Artifact, FlowRun, State
from prefect.client.schemas.sorting import ArtifactSort
from prefect.flows import Flow
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Scheduled

from tests.support.wait_until import wait_until

CASES = Path(__file__).parent / "cases"


class Workspace:
    """A copy of the case flows, deployed on one pool of one server."""

    def __init__(
        self,
        directory: Path,
        api_url: str,
        pool: str,
        limit: int | None = None,
        pool_type: str = "process",
    ) -> None:
        """Copy the flows and create the pool."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        for case in CASES.glob("*.py"):
            shutil.copy(case, directory)
        self.source = directory / "cases.py"
        self.pool = pool
        self._stack = ExitStack()
        with temporary_settings({PREFECT_API_URL: api_url}):
            self.client: SyncPrefectClient = self._stack.enter_context(get_client(sync_client=True))
        self.client.create_work_pool(
            WorkPoolCreate(name=pool, type=pool_type, concurrency_limit=limit)
        )
        self._deployments: dict[str, UUID] = {}

    def close(self) -> None:
        """Close the client."""
        self._stack.close()

    def deploy(self, function: str, *, module: str | None = None, **job_variables: Any) -> UUID:
        """Deploy a flow of its own module or else of the cases; the same again gives the same one."""
        own = (self.directory / f"{function}.py").exists()
        module = module or (function if own else "cases")
        key = f"{module}.{function}/{sorted(job_variables)}"
        if key not in self._deployments:
            flow = self.client.create_flow(Flow(lambda: None, name=function.replace("_", "-")))
            step = {"directory": str(self.directory)}
            self._deployments[key] = self.client.create_deployment(
                flow,
                name=f"{self.pool}-{len(self._deployments)}",
                entrypoint=f"{module}.{function}",
                work_pool_name=self.pool,
                pull_steps=[{"prefect.deployments.steps.set_working_directory": step}],
                job_variables=job_variables,
                enforce_parameter_schema=False,
            )
        return self._deployments[key]

    def submit(self, function: str, *, module: str | None = None, **parameters: Any) -> UUID:
        """Queue a run."""
        deployment = self.deploy(function, module=module)
        return self.client.create_flow_run_from_deployment(deployment, parameters=parameters).id

    def read(self, run: UUID) -> FlowRun:
        """The run as the server knows it."""
        return self.client.read_flow_run(run)

    def state(self, run: UUID) -> State[Any]:
        """The run's state now."""
        state = self.read(run).state
        assert state is not None
        return state

    def wait(self, run: UUID, *names: str, timeout: float = 60) -> State[Any]:
        """Wait until the run is in one of these states (default: any final one)."""

        def reached() -> bool:
            state = self.state(run)
            return state.name in names if names else state.is_final()

        wait_until(reached, timeout=timeout, interval=0.1)
        return self.state(run)

    def wait_all(self, runs: Sequence[UUID], timeout: float = 120) -> list[State[Any]]:
        """Wait until all runs have ended."""
        return [self.wait(run, timeout=timeout) for run in runs]

    def pid(self, run: UUID, timeout: float = 20) -> int:
        """Process id of a started run."""
        wait_until(lambda: self.read(run).infrastructure_pid, timeout=timeout)
        return int(str(self.read(run).infrastructure_pid).rsplit(":", 1)[-1])

    def messages(self, run: UUID) -> list[str]:
        """The run's log lines, in order."""
        logs = self.client.read_logs(
            LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])), limit=200, offset=0
        )
        return [re.sub("^Worker '[^']+'", "Worker '*'", log.message) for log in logs]

    def result(self, state: State[Any]) -> Any:
        """What the flow returned."""
        with temporary_settings({PREFECT_API_URL: str(self.client.api_url)}):
            return state.result(raise_on_failure=False)

    def artifacts(self) -> list[Artifact]:
        """All artifacts of the server."""
        return self.client.read_artifacts(sort=ArtifactSort.UPDATED_DESC, limit=100, offset=0)

    def schedule(self, deployment: UUID, in_seconds: float) -> UUID:
        """Queue a run for later."""
        when = datetime.now(UTC) + timedelta(seconds=in_seconds)
        state = Scheduled(scheduled_time=when)
        return self.client.create_flow_run_from_deployment(deployment, state=state).id

    def allow(self, limit: int) -> None:
        """Set how many runs of the pool may be in progress."""
        self.client.update_work_pool(self.pool, WorkPoolUpdate(concurrency_limit=limit))
