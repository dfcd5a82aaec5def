"""Run one dbt command in a child process and collect the outcome.

Reads the dbt project; dbt writes to the warehouse as the project defines. However the command ends
(finished, timed out, cancelled, crashed), no process and no query of the run remains: the child is
interrupted, then killed. Backends with the name of the run are terminated. The server enforces limits in
case this process is killed. dbt replaces what it builds, so running a command again is safe.
"""

import time
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager

from prefect import get_run_logger
from prefect.settings import get_current_settings
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.database.connections import (
    MissingDatabaseError,
    direct_connection,
    run_sql,
    warehouse_url,
)
from analytics_worker.database.dbt_environment import dbt_environment
from analytics_worker.settings import settings
from analytics_worker.text import printable
from flows.dbt._dbt_artifacts import (
    BrokenArtifactError,
    DbtOutcome,
    NodeResult,
    is_failed,
    read_nodes,
)
from flows.dbt._disk_errors import name_folder
from flows.dbt._environment import redact, secrets
from flows.dbt._event_reader import EventReader
from flows.dbt._executable import OUTPUT as FOREIGN_OUTPUT
from flows.dbt._executable import PROGRAM, ExecutableRun, executable_run, proven_nodes
from flows.dbt._log_lines import LogLines
from flows.dbt._nodes import NodeRuns
from flows.dbt._process import DbtDeadlineError, DbtProcess, dbt_process
from flows.dbt._statement_timeout import name_timeout
from flows.dbt._workspace import Workspace, dbt_state

OUTPUT = ("--log-level", "none", "--log-level-file", "none", "--no-use-colors")
UNFINISHED = "not finished: dbt was stopped"


def run_dbt(
    command: Sequence[str],
    options: Sequence[str],
    workspace: Workspace,
    *,
    name: str,
    deadline: float,
    shows_nodes: bool = True,
    left_out: Collection[str] = (),
) -> DbtOutcome:
    """Run ``dbt <command> <options>`` to its end, its deadline, or the end of the flow.

    Args:
        command: ``["run"]``, ``["docs", "generate"]``, ...
        options: Checked options.
        workspace: The run's folders.
        name: application_name of dbt's connections.
        deadline: On the monotonic clock.
        shows_nodes: Whether each node gets a task run.
        left_out: Unique ids of nodes that dbt skips.
    """
    started = time.monotonic()
    foreign = executable_run(command, workspace)
    uses_prefect = shows_nodes and settings().dbt_runner == "prefect"
    environment = _environment(uses_prefect=uses_prefect)
    limit = settings().dbt_node_task_runs
    nodes = NodeRuns(limit=0 if uses_prefect else limit, shown=shows_nodes)
    reader = _event_reader(nodes, secrets(environment, workspace.profiles), logged=not uses_prefect)
    limits = _limits(deadline - started)
    if foreign:
        environment = foreign.environment(environment, name, limits)
    argv = [*command, *options, *_folders(command, workspace, foreign)]
    program = foreign and PROGRAM
    with (
        _cleanup(name, reader),
        dbt_process(workspace.project, environment, workspace.errors, program) as process,
    ):
        process.send(
            {
                "executable": foreign and foreign.executable.path,
                "argv": [*argv, *(FOREIGN_OUTPUT if foreign else OUTPUT)],
                "application_name": name,
                "limits": limits,
                "lease": workspace.shared_lease(),
                "node_lines": limit,
                "left_out": [*left_out],
                "prefect_context": _pack_context() if uses_prefect else None,
            }
        )
        _read(process, reader, deadline)
    _merge_artifacts(reader, workspace, foreign)
    name_timeout(reader.outcome)
    name_folder(reader.outcome, dbt_state())
    reader.outcome.seconds = time.monotonic() - started
    return reader.outcome


def _environment(*, uses_prefect: bool) -> dict[str, str]:
    """Return the variables of dbt, and those of Prefect if it runs the nodes: its context reaches threads only."""
    if not uses_prefect:
        return dbt_environment()
    prefect = get_current_settings().to_environment_variables(exclude_unset=True)
    return dbt_environment() | prefect


def _event_reader(nodes: NodeRuns, secret_values: list[str], *, logged: bool) -> EventReader:
    return EventReader(
        DbtOutcome(),
        nodes,
        lambda text: redact(printable(text), secret_values),
        LogLines(logged=logged),
    )


def _pack_context() -> str:
    from flows.dbt._prefect_dbt import pack_context  # noqa: PLC0415  # imports dbt

    return pack_context()


def _folders(
    command: Sequence[str], workspace: Workspace, foreign: ExecutableRun | None
) -> list[str]:
    target = [] if command[0] == "deps" else ["--target-path", str(workspace.target)]
    return [
        *target,
        *("--project-dir", str(workspace.project)),
        *("--profiles-dir", str(foreign.profiles if foreign else workspace.profiles)),
        *("--log-path", str(workspace.folder)),
    ]


def _limits(seconds: float) -> dict[str, str]:
    """Return the limits that the server enforces in case this process is killed."""
    milliseconds = str(max(1, int(seconds * 1000)))
    return {
        "statement_timeout": milliseconds,
        "idle_in_transaction_session_timeout": milliseconds,
        "lock_timeout": str(settings().lock_timeout_seconds * 1000),
        "client_connection_check_interval": "2000",
    }


def _read(process: DbtProcess, reader: EventReader, deadline: float) -> None:
    try:
        for event in process.events(deadline, reader.lines.tick):
            reader.handle(event)
    except DbtDeadlineError:
        reader.outcome.timed_out = True
        for event in process.stop():
            reader.handle(event)
        return
    if not reader.finished:
        reader.outcome.crashed = True
        reader.outcome.error = _crash_message(process, reader)


def _crash_message(process: DbtProcess, reader: EventReader) -> str:
    status = process.exit_status()
    exit_reason = (
        f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
    )
    stderr = reader.clean(process.stderr_tail())
    return f"dbt {exit_reason} before it finished" + (f":\n{stderr}" if stderr else "")


@contextmanager
def _cleanup(name: str, reader: EventReader) -> Generator[None]:
    """Terminate backends unless the command finished regularly, and end waiting task runs."""
    try:
        yield
    finally:
        if not reader.finished or reader.outcome.timed_out:
            _terminate_backends(name)
        reader.outcome.nodes |= reader.nodes.fail_unfinished(UNFINISHED)
        reader.lines.close()


def _terminate_backends(name: str) -> None:
    try:
        with direct_connection(warehouse_url()) as connection:
            row = run_sql(connection, "dbt/terminate_backends", application_name=name)[0]
            if row["terminated"]:
                get_run_logger().warning("Terminated %s queries of dbt", row["terminated"])
    except MissingDatabaseError:
        return  # the project defines its own connection; the limits of the server apply
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        get_run_logger().warning("could not check for remaining dbt queries: %s", reason)


def _merge_artifacts(
    reader: EventReader, workspace: Workspace, foreign: ExecutableRun | None
) -> None:
    """Merge the artifact of dbt, which also contains skipped nodes."""
    nodes = proven_nodes(foreign, reader) if foreign else _nodes_of_artifact(workspace)
    for unique_id, node in nodes.items():
        reason = reader.last_error if is_failed(node) else ""
        node["message"] = reader.clean(node["message"]) or reason
        reader.outcome.nodes[unique_id] = node
    if reader.outcome.error is None and not reader.outcome.timed_out:
        workspace.publish_cache()


def _nodes_of_artifact(workspace: Workspace) -> dict[str, NodeResult]:
    try:
        return read_nodes(workspace.target)
    except BrokenArtifactError as error:
        get_run_logger().warning("%s; the results are those of dbt's events", error)
        return {}
