"""What one dbt command did, node by node, and what its failures mean.

Reads dbt's artifacts (run_results.json, sources.json) and the events of the child; writes nothing.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from analytics_worker.errors import PermanentError, is_permanent
from analytics_worker.prefect_support.results import FlowResult, Status, status_of

MESSAGE_CHARACTERS = 500
PASSED = frozenset({"success", "pass", "no-op", "reused"})
WARNED = frozenset({"warn"})
SKIPPED = frozenset({"skipped"})

# dbt hands on libpq's and the server's text, without an SQLSTATE.
_SERVICE_FAILURE = re.compile(
    r"could not connect to server|connection to server .* failed|server closed the connection"
    r"|could not translate host name|connection (already|is) closed|connection refused"
    r"|connection reset|connection timed out|timeout expired|broken pipe|SSL (SYSCALL|connection)"
    r"|terminating connection|the database system is (starting up|shutting down|in recovery)"
    r"|too many (clients|connections)|remaining connection slots|no route to host"
    r"|canceling statement due to (statement|lock) timeout|deadlock detected"
    r"|could not (receive|send) data (from|to) server|no space left on device",
    re.IGNORECASE | re.DOTALL,
)


class DbtUnavailableError(Exception):
    """dbt could not do its work for reasons outside the project: worth another try."""


class DbtProjectError(PermanentError):
    """dbt worked; what it was asked to do did not: compile errors, SQL errors, failing tests."""


class NodeResult(TypedDict):
    """One model, test, seed, snapshot or source."""

    unique_id: str
    name: str
    resource_type: str
    status: str
    seconds: float
    rows: int | None
    message: str


class DbtSummary(TypedDict):
    """Counts over the nodes; ``executed`` is all but the skipped."""

    executed: int
    passed: int
    warned: int
    failed: int
    skipped: int
    seconds: float


class NodeError(TypedDict):
    """One failed node and what dbt said about it."""

    name: str
    status: str
    message: str


class DbtResult(FlowResult):
    """What a dbt flow returns."""

    summary: DbtSummary
    results: list[NodeResult]
    errors: list[NodeError]


@dataclass
class Outcome:
    """How one dbt process ended.

    Attributes:
        nodes: What became of each node it touched, by unique id.
        error: What stopped dbt itself; None if only nodes failed, or nothing.
        warnings: dbt's warnings, as logged.
        crashed: Whether dbt died before it could say how it went.
        timed_out: Whether it was stopped by its time limit.
    """

    nodes: dict[str, NodeResult] = field(default_factory=dict[str, NodeResult])
    error: str | None = None
    warnings: list[str] = field(default_factory=list[str])
    crashed: bool = False
    timed_out: bool = False
    seconds: float = 0.0

    @property
    def service_failure(self) -> str | None:
        """The first failure that says nothing about the project, if there is one."""
        if self.error and (self.crashed or is_service_failure(self.error)):
            return self.error
        return next(
            (
                f"{node['name']}: {node['message']}"
                for node in self.nodes.values()
                if is_failed(node) and is_service_failure(node["message"])
            ),
            None,
        )


def is_service_failure(message: str) -> bool:
    """Whether dbt's text speaks of a connection, a crash or a time limit, not of the project."""
    return _SERVICE_FAILURE.search(message) is not None and not is_permanent(Exception(message))


def is_failed(node: NodeResult) -> bool:
    """Whether the node ran and did not succeed."""
    return node["status"] not in PASSED | WARNED | SKIPPED


def is_done(node: NodeResult) -> bool:
    """Whether a further attempt can leave the node out."""
    return node["status"] in PASSED | WARNED


def read_nodes(target: Path) -> dict[str, NodeResult]:
    """The nodes of the last command that wrote into this target folder; empty if it died first."""
    for name in ("run_results.json", "sources.json"):
        artifact = target / name
        if artifact.exists():
            results = json.loads(artifact.read_bytes())["results"]
            return {node["unique_id"]: _node(node) for node in results}
    return {}


def node_of_event(event: Mapping[str, Any]) -> NodeResult:
    """A node from its ``end`` event, for want of an artifact."""
    info, result = event["node"], event.get("result", {})
    return _node({**result, "unique_id": info["unique_id"], "status": info["node_status"]})


def unfinished(unique_id: str, reason: str) -> NodeResult:
    """A node that was started and never ended."""
    return _node({"unique_id": unique_id, "status": "error", "message": reason})


def _node(found: Mapping[str, Any]) -> NodeResult:
    unique_id = str(found["unique_id"])
    kind, _, path = unique_id.partition(".")
    rows = (found.get("adapter_response") or {}).get("rows_affected")
    return NodeResult(
        unique_id=unique_id,
        name=_name(kind, path),
        resource_type=kind,
        status=str(found["status"]),
        seconds=round(float(found.get("execution_time") or 0), 3),
        rows=int(rows) if rows is not None and int(rows) >= 0 else None,
        message=_message(found),
    )


def _name(kind: str, path: str) -> str:
    """``pipeline_kpis`` for a model, ``crm.accounts`` for a source, a test without its hash."""
    parts = path.split(".")[1:] or [path]
    if kind == "test":
        return parts[0]
    return ".".join(parts)


def _message(found: Mapping[str, Any]) -> str:
    """The message of dbt, or the error or the age that a freshness result has instead."""
    message = found.get("message") or found.get("error")
    age = found.get("max_loaded_at_time_ago_in_s")
    if not message and age is not None:
        message = f"loaded {float(age) / 3600:.1f} hours ago, at {found.get('max_loaded_at')}"
    lines = [
        line.strip()
        for line in str(message or "").splitlines()
        if not line.strip().startswith("compiled code at ")  # in the run's folder, which goes
    ]
    return " ".join(line for line in lines if line)[:MESSAGE_CHARACTERS]


def summary_of(nodes: Iterable[NodeResult], seconds: float) -> DbtSummary:
    """Count the nodes by how they ended."""
    statuses = [node["status"] for node in nodes]
    passed = sum(status in PASSED for status in statuses)
    warned = sum(status in WARNED for status in statuses)
    skipped = sum(status in SKIPPED for status in statuses)
    return DbtSummary(
        executed=len(statuses) - skipped,
        passed=passed,
        warned=warned,
        failed=len(statuses) - passed - warned - skipped,
        skipped=skipped,
        seconds=round(seconds, 3),
    )


def errors_of(nodes: Iterable[NodeResult]) -> list[NodeError]:
    """The failed nodes with their messages."""
    return [
        NodeError(name=node["name"], status=node["status"], message=node["message"])
        for node in nodes
        if is_failed(node)
    ]


def status_of_summary(summary: DbtSummary, error: str | None) -> Status:
    """A failure of dbt itself counts like a failed node."""
    succeeded = summary["passed"] + summary["warned"]
    return status_of(succeeded=succeeded, failed=summary["failed"] + (error is not None))
