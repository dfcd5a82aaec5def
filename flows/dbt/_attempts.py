"""One run of a dbt command: its attempts, and what became of its nodes over all of them.

Reads the dbt project; writes what dbt builds. A further attempt runs only what failed or was
skipped; a new run starts from the beginning, which dbt allows.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prefect import Task, get_run_logger
from prefect.context import FlowRunContext

from analytics_worker.circuit_breaker import dbt_circuit_breaker
from analytics_worker.database.connections import APPLICATION_NAME_BYTES, application_name
from flows.dbt._arguments import Arguments
from flows.dbt._lock import DbtRunningError, only_one_dbt
from flows.dbt._process import DbtDeadlineError
from flows.dbt._results import (
    DbtProjectError,
    DbtUnavailableError,
    NodeResult,
    Outcome,
    errors_of,
    is_done,
)
from flows.dbt._runner import run_dbt
from flows.dbt._selection import all_but
from flows.dbt._workspace import Workspace

# dbt is stopped this much before the flow's own limit, so that the run can still say what happened.
MARGIN_SECONDS, MARGIN_SHARE = 12.0, 0.25
NO_LIMIT_SECONDS = 7 * 24 * 3600.0


@dataclass
class Work:
    """One run of a dbt command.

    Attributes:
        command: The subcommand.
        limit_seconds: The flow's time limit.
        shows_nodes: Whether Prefect shows each node as a task run.
        nodes: The last result of each node.
        error: Why it failed, apart from failing nodes.
        running_elsewhere: Who kept it from starting at all.
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
    running_elsewhere: str | None = None

    @property
    def title(self) -> str:
        """The command as one would type it."""
        return " ".join(["dbt", *self.command])

    @property
    def deadline(self) -> float:
        """When dbt is stopped, on the monotonic clock."""
        margin = min(MARGIN_SECONDS, self.limit_seconds * MARGIN_SHARE)
        return self.started + self.limit_seconds - margin

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.started


def flow_limit_seconds() -> float:
    """``timeout_seconds`` of the current flow."""
    context = FlowRunContext.get()
    limit = context.flow.timeout_seconds if context and context.flow else None
    return limit or NO_LIMIT_SECONDS


def carry_out(work: Work, attempting: Task[[Work], None]) -> None:
    """Try until it is done, is bound to fail, or has failed often enough; ``work`` has the results.

    Args:
        work: What to do.
        attempting: `attempt` as a task, with the retries of the flow.

    Raises:
        CircuitOpenError: dbt has failed too often lately and is being left alone.
    """
    try:
        attempting(work)
    except DbtUnavailableError as error:
        work.error = str(error)


def attempt(work: Work) -> None:
    """One dbt process, guarded by the dbt circuit breaker and the lock of the warehouse."""
    try:
        with dbt_circuit_breaker.calling(), only_one_dbt():
            _judge(work, _run(work))
    except DbtRunningError as error:
        work.running_elsewhere = str(error)
    except (DbtProjectError, DbtDeadlineError) as error:
        work.error = str(error) or None


def _run(work: Work) -> Outcome:
    command, options = _what_is_left(work)
    name = f"dbt:{application_name()}"[:APPLICATION_NAME_BYTES]
    ended = run_dbt(
        command,
        options,
        work.workspace,
        name=name,
        deadline=work.deadline,
        shows_nodes=work.shows_nodes,
    )
    work.nodes |= ended.nodes
    return ended


def _what_is_left(work: Work) -> tuple[Sequence[str], Sequence[str]]:
    """The first attempt runs what was asked for, a further one what that left undone."""
    done = [unique_id for unique_id, node in work.nodes.items() if is_done(node)]
    if not done or len(work.command) > 1:
        return work.command, work.arguments.argv
    get_run_logger().info("%s nodes are done already and are left out", len(done))
    if work.workspace.keep_results() or work.workspace.previous.exists():
        return ["retry"], ["--state", str(work.workspace.previous)]
    return work.command, all_but(done, work.arguments, work.workspace.manifest())


def _judge(work: Work, ended: Outcome) -> None:
    """Tell the circuit breaker and the retries what kind of end it was."""
    if ended.timed_out:
        raise DbtDeadlineError(_stopped(work, ended))
    failure = ended.service_failure
    if failure:
        raise DbtUnavailableError(failure)
    if ended.error:
        raise DbtProjectError(ended.error)
    if not work.nodes:
        raise DbtProjectError(_nothing(work))
    if errors_of(ended.nodes.values()):
        raise DbtProjectError


def _stopped(work: Work, ended: Outcome) -> str:
    busy = [node["name"] for node in errors_of(ended.nodes.values())]
    at = f" at work on {', '.join(busy[:10])}" if busy else ""
    return (
        f"{work.title} was stopped after {work.seconds:.0f} s{at}: limit {work.limit_seconds:g} s"
    )


def _nothing(work: Work) -> str:
    if work.arguments.selection:
        return f"Nothing in the dbt project matches {work.arguments.selection}"
    return f"The dbt project has nothing for `{work.title}`"
