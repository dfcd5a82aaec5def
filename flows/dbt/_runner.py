"""The only contact with dbt: one command in one child process, and what came of it.

Reads the dbt project; dbt writes to the warehouse as the project says. However this ends (done,
timed out, cancelled, crashed), no process and no query of this run is left behind: the child is
interrupted, then killed; backends that still carry the run's name are terminated; and the server
has limits of its own for the case that this process is killed. dbt replaces what it builds, so
running a command again is safe.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prefect import get_run_logger
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.database.connections import (
    MissingDatabaseError,
    direct,
    run_sql,
    warehouse_url,
)
from analytics_worker.settings import settings
from flows.dbt._environment import dbt_environment, scrub, secrets
from flows.dbt._nodes import NodeRuns
from flows.dbt._process import Child, DbtDeadlineError, child
from flows.dbt._results import Outcome, node_of_event, read_nodes
from flows.dbt._workspace import Workspace

OUTPUT = ("--log-level", "none", "--log-level-file", "none", "--no-use-colors")
QUIET = frozenset({"EndOfRunSummary", "MainReportVersion", "AdapterRegistered", "SQLCompiledPath"})
UNFINISHED = "not finished: dbt was stopped"


@dataclass
class Reading:
    """What one child has told so far."""

    outcome: Outcome
    nodes: NodeRuns
    clean: Callable[[str], str]
    done: bool = False

    def take(self, event: Mapping[str, Any]) -> None:
        """Note one event: pass lines on to the run's log, nodes to their task runs."""
        if event["event"] == "start":
            self.nodes.start(event["node"])
        elif event["event"] == "end":
            self._end(event)
        elif event["event"] == "log":
            self._log(event)
        else:
            self.done = True
            self.outcome.error = None if event["error"] is None else self.clean(event["error"])

    def _end(self, event: Mapping[str, Any]) -> None:
        node = node_of_event(event)
        node["message"] = self.clean(node["message"])
        self.outcome.nodes[node["unique_id"]] = node
        self.nodes.end(node)

    def _log(self, event: Mapping[str, Any]) -> None:
        message = self.clean(event["message"].strip())
        if event["level"] == "warn":
            self.outcome.warnings.append(message)
            get_run_logger().warning(message)
        elif event["level"] == "error":
            get_run_logger().error(message)
        elif event["name"] not in QUIET:
            get_run_logger().info(message)


def run_dbt(
    command: Sequence[str],
    options: Sequence[str],
    work: Workspace,
    *,
    name: str,
    deadline: float,
    shows_nodes: bool = True,
) -> Outcome:
    """Run ``dbt <command> <options>`` to its end, its deadline, or the end of the flow.

    Args:
        command: ``["run"]``, ``["docs", "generate"]``, ...
        options: Checked options.
        work: The run's folders.
        name: application_name of dbt's connections.
        deadline: On the monotonic clock.
        shows_nodes: Whether each node gets a task run.
    """
    started = time.monotonic()
    environment = dbt_environment()
    hidden = secrets(environment, work.profiles)
    reading = Reading(Outcome(), NodeRuns(shown=shows_nodes), lambda text: scrub(text, hidden))
    argv = [*command, *options, *_folders(work), *OUTPUT]
    with _no_query_left(name, reading), child(work.project, environment, work.errors) as process:
        process.send(
            {"argv": argv, "application_name": name, "limits": _limits(deadline - started)}
        )
        _read(process, reading, deadline)
    _complete(reading, work)
    reading.outcome.seconds = time.monotonic() - started
    return reading.outcome


def _folders(work: Workspace) -> list[str]:
    return [
        *("--project-dir", str(work.project)),
        *("--profiles-dir", str(work.profiles)),
        *("--target-path", str(work.target)),
        *("--log-path", str(work.folder)),
    ]


def _limits(seconds: float) -> dict[str, str]:
    """What the server enforces by itself, should this process be killed."""
    milliseconds = str(max(1, int(seconds * 1000)))
    return {
        "statement_timeout": milliseconds,
        "idle_in_transaction_session_timeout": milliseconds,
        "lock_timeout": str(settings().lock_timeout_seconds * 1000),
        "client_connection_check_interval": "2000",
    }


def _read(process: Child, reading: Reading, deadline: float) -> None:
    try:
        for event in process.events(deadline):
            reading.take(event)
    except DbtDeadlineError:
        reading.outcome.timed_out = True
        for event in process.stop():
            reading.take(event)
        return
    if not reading.done:
        reading.outcome.crashed = True
        reading.outcome.error = _crash(process, reading)


def _crash(process: Child, reading: Reading) -> str:
    status = process.exit_status()
    how = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
    words = reading.clean(process.last_words())
    return f"dbt {how} before it was done" + (f":\n{words}" if words else "")


@contextmanager
def _no_query_left(name: str, reading: Reading) -> Generator[None]:
    """After anything but a regular end: no backend of this run works on, no task run waits."""
    try:
        yield
    finally:
        if not reading.done or reading.outcome.timed_out:
            _terminate_backends(name)
        reading.outcome.nodes |= reading.nodes.abandon(UNFINISHED)


def _terminate_backends(name: str) -> None:
    try:
        with direct(warehouse_url()) as connection:
            ended = run_sql(connection, "dbt/terminate_backends", application_name=name)
            if ended[0]["terminated"]:
                get_run_logger().warning("Ended %s queries of dbt", ended[0]["terminated"])
    except MissingDatabaseError:
        return  # a project with a connection of its own: the server's limits must do
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        get_run_logger().warning("dbt's queries could not be checked: %s", reason)


def _complete(reading: Reading, work: Workspace) -> None:
    """Prefer dbt's artifact, which knows the skipped nodes, too."""
    for unique_id, node in read_nodes(work.target).items():
        node["message"] = reading.clean(node["message"])
        reading.outcome.nodes[unique_id] = node
    if reading.outcome.error is None and not reading.outcome.timed_out:
        work.publish_cache()
