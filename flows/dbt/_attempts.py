"""Run a dbt command in one or more attempts, and collect the results of its nodes.

Reads the dbt project; writes what dbt builds. A retry runs only the nodes that failed or were
skipped. A new run starts from the beginning, which is safe with dbt.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prefect import Task, get_run_logger
from prefect.context import FlowRunContext

from analytics_worker.circuit_breaker import dbt_circuit_breaker
from analytics_worker.database.connections import APPLICATION_NAME_BYTES, application_name
from flows.dbt._arguments import Arguments
from flows.dbt._dbt_artifacts import DbtOutcome, NodeResult, errors_of, is_done
from flows.dbt._failures import (
    DbtProjectError,
    DbtUnavailableError,
    unavailable_error,
)
from flows.dbt._flow import DbtFlow
from flows.dbt._foreign_left_out import excluded_nodes, without_left_out
from flows.dbt._lock import DbtLock, DbtRunningError
from flows.dbt._process import DbtDeadlineError
from flows.dbt._runner import run_dbt
from flows.dbt._selection import excluding
from flows.dbt._waiting import Waiting
from flows.dbt._workspace import Workspace
from flows.dbt.state.comparison import compared, has_nothing_to_compare

# dbt is stopped this long before the time limit of the flow, so that the run can still report.
MARGIN_SECONDS, MARGIN_SHARE = 12.0, 0.25
NO_LIMIT_SECONDS = 7 * 24 * 3600.0


@dataclass
class DbtRun:
    """One run of a dbt command.

    Attributes:
        command: The subcommand.
        limit_seconds: Time limit of dbt, which starts when the run has the lock.
        shows_nodes: Whether Prefect shows each node as a task run.
        nodes: The last result of each node.
        error: Why it failed, apart from failed nodes.
        before: What each attempt does first, under the lock; see `flows.dbt._before_models`.
        step_nodes: The last result of each node of the steps before the command.
        steps_done: The steps that later attempts skip.
        left_out: Why dbt skips models, by unique id: what they read failed before.
        has_started: Whether the run had the lock, and dbt was started.
    """

    command: tuple[str, ...]
    arguments: Arguments
    workspace: Workspace
    limit_seconds: float = NO_LIMIT_SECONDS
    shows_nodes: bool = True
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)
    nodes: dict[str, NodeResult] = field(default_factory=dict[str, NodeResult])
    error: str | None = None
    before: Callable[["DbtRun"], None] | None = None
    step_nodes: dict[str, NodeResult] = field(default_factory=dict[str, NodeResult])
    steps_done: set[str] = field(default_factory=set[str])
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    has_started: bool = False
    lock: DbtLock = field(default_factory=DbtLock)
    waiting: Waiting = field(default_factory=Waiting)

    @property
    def title(self) -> str:
        """The command line."""
        return " ".join(["dbt", *self.command])

    @property
    def deadline(self) -> float:
        """Time on the monotonic clock at which dbt is stopped."""
        margin = min(MARGIN_SECONDS, self.limit_seconds * MARGIN_SHARE)
        return self.started + self.limit_seconds - margin

    @property
    def seconds(self) -> float:
        """Seconds since the run started."""
        return time.monotonic() - self.started

    def start(self) -> None:
        """Start the clock, unless this is a retry: the time limit is that of all attempts."""
        if not self.has_started:
            self.started, self.started_at = time.monotonic(), datetime.now(UTC)
            self.has_started = True


def flow_limit_seconds() -> float:
    """Return the time limit of dbt in the current flow."""
    context = FlowRunContext.get()
    flow = context.flow if context else None
    if flow is None:
        return NO_LIMIT_SECONDS
    limit = flow.limit_seconds if isinstance(flow, DbtFlow) else flow.timeout_seconds
    return limit or NO_LIMIT_SECONDS


def run_with_retries(dbt_run: DbtRun, attempt_task: Task[[DbtRun], None]) -> None:
    """Run attempts until one succeeds, fails permanently, or no retry is left; results in ``dbt_run``.

    Args:
        dbt_run: The run.
        attempt_task: `attempt` as a task, with the retries of the flow.

    Raises:
        CircuitOpenError: dbt failed repeatedly, so its circuit breaker is open.
    """
    with dbt_run.lock:
        try:
            attempt_task(dbt_run)
        except DbtUnavailableError as error:
            dbt_run.error = str(error)


def attempt(dbt_run: DbtRun) -> None:
    """Run one dbt process as soon as no other run has the lock, guarded by the circuit breaker."""
    try:
        while not _start_if_unlocked(dbt_run):
            pass
    except (DbtProjectError, DbtDeadlineError) as error:
        dbt_run.error = str(error) or None


def _start_if_unlocked(dbt_run: DbtRun) -> bool:
    """Run dbt and return True; wait a moment and return False if another run holds the lock.

    Raises:
        DbtProjectError: dbt failed, or another run held the lock for too long.
        DbtUnavailableError: dbt failed for reasons outside the project.
    """
    try:
        with dbt_circuit_breaker.calling():
            dbt_run.lock.acquire()
            dbt_run.start()
            if dbt_run.before:
                dbt_run.before(dbt_run)
            _raise_failure(dbt_run, _run(dbt_run))
            return True
    except DbtRunningError as error:
        dbt_run.waiting.wait(str(error), dbt_run.deadline if dbt_run.has_started else None)
        return False


def _run(dbt_run: DbtRun) -> DbtOutcome:
    folder, left_out = dbt_run.workspace.folder, dbt_run.left_out
    arguments = without_left_out(dbt_run.arguments, left_out, folder)
    command, options = next_command(dbt_run.command, arguments, dbt_run.nodes, dbt_run.workspace)
    name = f"dbt:{application_name()}"[:APPLICATION_NAME_BYTES]
    outcome = run_dbt(
        command,
        options,
        dbt_run.workspace,
        name=name,
        deadline=dbt_run.deadline,
        shows_nodes=dbt_run.shows_nodes,
        left_out=dbt_run.left_out,
    )
    outcome.nodes = excluded_nodes(left_out, folder) | outcome.nodes
    for unique_id in outcome.nodes.keys() & dbt_run.left_out.keys():
        outcome.nodes[unique_id]["message"] = dbt_run.left_out[unique_id]
    dbt_run.nodes |= outcome.nodes
    return outcome


def next_command(
    command: tuple[str, ...],
    arguments: Arguments,
    nodes: Mapping[str, NodeResult],
    workspace: Workspace,
) -> tuple[Sequence[str], Sequence[str]]:
    """Return the requested command for the first attempt, and the unfinished nodes for a retry.

    Args:
        command: The requested command.
        arguments: Its options.
        nodes: The results of earlier attempts.
        workspace: The folders of these attempts.
    """
    done = [unique_id for unique_id, node in nodes.items() if is_done(node)]
    if not done or len(command) > 1:
        return command, arguments.argv
    get_run_logger().info("Retrying without %s nodes that already succeeded", len(done))
    if workspace.save_results() or workspace.previous.exists():
        return ["retry"], [*arguments.repeated, "--state", str(workspace.previous)]
    return command, excluding(done, arguments, workspace.manifest())


def _raise_failure(dbt_run: DbtRun, outcome: DbtOutcome) -> None:
    """Raise the failure of an attempt, typed for the circuit breaker and the retries."""
    if outcome.timed_out:
        raise DbtDeadlineError(_timeout_message(dbt_run, outcome))
    failure = outcome.service_failure
    if failure:
        raise unavailable_error(failure)
    if outcome.error:
        usage = outcome.is_usage_error
        raise DbtProjectError(
            dbt_run.arguments.usage_error(outcome.error) if usage else outcome.error
        )
    if not dbt_run.nodes and dbt_run.arguments.selection and not _has_nothing_new(dbt_run, outcome):
        unmatched = [each for each in outcome.unmatched if not compared([each])]
        selection = ", ".join(unmatched) or dbt_run.arguments.selection
        raise DbtProjectError(f"No nodes of the dbt project match {selection}")
    if errors_of(outcome.nodes.values()):
        raise DbtProjectError


def _has_nothing_new(dbt_run: DbtRun, outcome: DbtOutcome) -> bool:
    """Whether no node differs from the state that the selection compares with."""
    arguments = dbt_run.arguments
    selectors = dbt_run.workspace.manifest().get("selectors") or {}
    selector = str(selectors.get(arguments.selector)) if arguments.selector else ""
    return has_nothing_to_compare(arguments.lists, selector, outcome.unmatched)


def _timeout_message(dbt_run: DbtRun, outcome: DbtOutcome) -> str:
    unfinished = [node["name"] for node in errors_of(outcome.nodes.values())]
    nodes = f" while running {', '.join(unfinished[:10])}" if unfinished else ""
    return f"{dbt_run.title} was stopped after {dbt_run.seconds:.0f} s{nodes}: limit {dbt_run.limit_seconds:g} s"
