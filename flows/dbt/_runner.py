"""Run one dbt command in a child process and collect the outcome.

Reads the dbt project; dbt writes to the warehouse as the project defines. However the command ends
(finished, timed out, cancelled, crashed), no process and no query of the run remains: the child is
interrupted, then killed. Backends with the name of the run are terminated. The server enforces limits in
case this process is killed. dbt replaces what it builds, so running a command again is safe.
"""

import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

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
    is_failed,
    node_of_event,
    read_nodes,
)
from flows.dbt._environment import redact, secrets
from flows.dbt._log_lines import LogLines
from flows.dbt._nodes import NodeRuns
from flows.dbt._process import DbtDeadlineError, DbtProcess, dbt_process
from flows.dbt._workspace import Workspace

OUTPUT = ("--log-level", "none", "--log-level-file", "none", "--no-use-colors")
SUPPRESSED_EVENTS = frozenset(
    {"EndOfRunSummary", "MainReportVersion", "AdapterRegistered", "SQLCompiledPath"}
)
EPHEMERAL = "ephemeral"
UNFINISHED = "not finished: dbt was stopped"


@dataclass
class EventReader:
    """Collect the outcome from the events of one dbt process."""

    outcome: DbtOutcome
    nodes: NodeRuns
    clean: Callable[[str], str]
    lines: LogLines = field(default_factory=LogLines)
    finished: bool = False
    last_error: str = ""
    """The last line that dbt logged as an error: the reason of a macro, whose result has none."""

    def handle(self, event: Mapping[str, Any]) -> None:
        """Process one event: forward log lines to the run, nodes to their task runs."""
        if event["event"] == "nodes":
            self.nodes.expect(event["count"])
            self.lines.progress_of = event["count"] if event["summarized"] else 0
        elif event["event"] == "start":
            self._start(event["node"])
        elif event["event"] == "end":
            self._end(event)
        elif event["event"] == "log":
            self._log(event)
        elif event["event"] == "unmatched":
            self.outcome.unmatched.append(self.clean(event["criterion"]))
        else:
            self.finished = True
            self.outcome.error = event["error"] and self.clean(event["error"])
            self.outcome.is_usage_error = event.get("error_type") == "DbtUsageException"

    def _start(self, node: Mapping[str, Any]) -> None:
        if node.get("materialized") != EPHEMERAL:
            self.nodes.start(node)
            self.lines.start(node["unique_id"], node["node_name"])

    def _end(self, event: Mapping[str, Any]) -> None:
        node = node_of_event(event)
        if event["node"].get("materialized") == EPHEMERAL and not is_failed(node):
            return  # compiled into other nodes: dbt counts only what it builds
        node["message"] = self.clean(node["message"])
        self.outcome.nodes[node["unique_id"]] = node
        self.nodes.end(node)
        self.lines.end(node)

    def _log(self, event: Mapping[str, Any]) -> None:
        message = self.clean(event["message"].strip())
        if event["level"] == "warn":
            self.outcome.warnings.append(message)
        elif event["level"] == "error":
            self.last_error = message
        if event["name"] not in SUPPRESSED_EVENTS:
            self.lines.write(event["level"], message)


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
    uses_prefect = shows_nodes and settings().dbt_runner == "prefect"
    environment = dbt_environment()
    if uses_prefect:  # the context reaches its threads only
        environment |= get_current_settings().to_environment_variables(exclude_unset=True)
    limit = settings().dbt_node_task_runs
    nodes = NodeRuns(limit=0 if uses_prefect else limit, shown=shows_nodes)
    reader = _event_reader(nodes, secrets(environment, workspace.profiles), logged=not uses_prefect)
    with (
        _cleanup(name, reader),
        dbt_process(workspace.project, environment, workspace.errors) as process,
    ):
        process.send(
            {
                "argv": [*command, *options, *_folders(command, workspace), *OUTPUT],
                "application_name": name,
                "limits": _limits(deadline - started),
                "lease": workspace.shared_lease(),
                "node_lines": limit,
                "left_out": [*left_out],
                "prefect_context": _pack_context() if uses_prefect else None,
            }
        )
        _read(process, reader, deadline)
    _merge_artifacts(reader, workspace)
    reader.outcome.seconds = time.monotonic() - started
    return reader.outcome


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


def _folders(command: Sequence[str], workspace: Workspace) -> list[str]:
    target = [] if command[0] == "deps" else ["--target-path", str(workspace.target)]
    return [
        *target,
        *("--project-dir", str(workspace.project)),
        *("--profiles-dir", str(workspace.profiles)),
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


def _merge_artifacts(reader: EventReader, workspace: Workspace) -> None:
    """Merge the artifact of dbt, which also contains skipped nodes."""
    try:
        nodes = read_nodes(workspace.target)
    except BrokenArtifactError as error:
        get_run_logger().warning("%s; the results are those of dbt's events", error)
        nodes = {}
    for unique_id, node in nodes.items():
        reason = reader.last_error if is_failed(node) else ""
        node["message"] = reader.clean(node["message"]) or reason
        reader.outcome.nodes[unique_id] = node
    if reader.outcome.error is None and not reader.outcome.timed_out:
        workspace.publish_cache()
