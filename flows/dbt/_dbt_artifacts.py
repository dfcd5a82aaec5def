"""Parse the results of a dbt command by node.

Reads dbt's artifacts (run_results.json, sources.json) and the events of the process; writes nothing.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from analytics_worker.prefect_support.results import FlowResult, Status, status_of
from analytics_worker.text import one_line, printable
from flows.dbt._failures import is_service_failure

MESSAGE_CHARACTERS = 500
RUN_RESULTS = "run_results.json"
PASSED = frozenset({"success", "pass", "no-op", "reused"})
WARNED = frozenset({"warn"})
SKIPPED = frozenset({"skipped"})

_HASH = re.compile(r"[0-9a-f]{10}")
"""The last part of the unique id of a generic test."""
_NO_DATE = "0001-01-01"
"""What dbt reports as the newest date of a source without rows."""


class BrokenArtifactError(Exception):
    """An artifact of dbt is incomplete: a full disk, or dbt was killed while it wrote it."""


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
    """Number of nodes by result; ``executed`` is all except the skipped ones."""

    executed: int
    passed: int
    warned: int
    failed: int
    skipped: int
    seconds: float


class NodeError(TypedDict):
    """One failed node and its message."""

    name: str
    status: str
    message: str
    owner: NotRequired[str]


class DbtResult(FlowResult):
    """Result of a dbt flow."""

    summary: DbtSummary
    results: list[NodeResult]
    errors: list[NodeError]


@dataclass
class DbtOutcome:
    """Outcome of one dbt process.

    Attributes:
        nodes: Result of each node, by unique id.
        error: Error of dbt itself; None if only nodes failed, or nothing.
        warnings: dbt's warnings, as logged.
        is_usage_error: Whether dbt refused an option.
        unmatched: Criteria of the selection for which dbt found no nodes.
        crashed: Whether dbt died before it reported its result.
        timed_out: Whether it was stopped by its time limit.
    """

    nodes: dict[str, NodeResult] = field(default_factory=dict[str, NodeResult])
    error: str | None = None
    warnings: list[str] = field(default_factory=list[str])
    unmatched: list[str] = field(default_factory=list[str])
    is_usage_error: bool = False
    crashed: bool = False
    timed_out: bool = False
    seconds: float = 0.0

    @property
    def service_failure(self) -> str | None:
        """The first failure that is not a failure of the project, if any."""
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


def is_failed(node: NodeResult) -> bool:
    """Whether the node ran and did not succeed."""
    return node["status"] not in PASSED | WARNED | SKIPPED


def is_done(node: NodeResult) -> bool:
    """Whether a retry can skip the node."""
    return node["status"] in PASSED | WARNED


def read_nodes(target: Path) -> dict[str, NodeResult]:
    """Return the nodes from the artifact in the target folder; empty if dbt wrote none.

    Raises:
        BrokenArtifactError: dbt did not write all of it.
    """
    for name in (RUN_RESULTS, "sources.json"):
        artifact = target / name
        if artifact.exists():
            return {node["unique_id"]: node for node in map(_node, read_results(artifact))}
    return {}


def read_results(artifact: Path) -> list[Any]:
    """Return the results of an artifact of dbt.

    Raises:
        BrokenArtifactError: it is truncated, empty or unreadable.
    """
    try:
        return list(json.loads(artifact.read_bytes())["results"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise BrokenArtifactError(f"{artifact.name} of dbt can't be read ({reason})") from error


def node_of_event(event: Mapping[str, Any]) -> NodeResult:
    """Return a node from its ``end`` event, in case dbt writes no artifact."""
    info, result = event["node"], event.get("result", {})
    return _node({**result, "unique_id": info["unique_id"], "status": info["node_status"]})


def unfinished_node(unique_id: str, reason: str) -> NodeResult:
    """Return the result of a node that started but did not finish."""
    return _node({"unique_id": unique_id, "status": "error", "message": reason})


def _node(fields: Mapping[str, Any]) -> NodeResult:
    unique_id = printable(str(fields["unique_id"]))
    kind, _, path = unique_id.partition(".")
    rows = (fields.get("adapter_response") or {}).get("rows_affected")
    return NodeResult(
        unique_id=unique_id,
        name=_name(kind, path),
        resource_type=kind,
        status=str(fields["status"]),
        seconds=round(float(fields.get("execution_time") or 0), 3),
        rows=int(rows) if rows is not None and int(rows) >= 0 else None,
        message=_message(fields),
    )


def _name(kind: str, path: str) -> str:
    """Return ``pipeline_kpis`` for a model, ``crm.accounts`` for a source, a test without its hash."""
    parts = path.split(".")[1:] or [path]
    if kind == "test" and len(parts) > 1 and _HASH.fullmatch(parts[-1]):
        parts.pop()
    return ".".join(parts)


def _message(fields: Mapping[str, Any]) -> str:
    """Return the message of dbt, or the error or age of a freshness result."""
    message = fields.get("message") or fields.get("error") or _age(fields)
    lines = [
        line.strip()
        for line in str(message or "").splitlines()
        if not line.strip().startswith(
            "compiled code at "
        )  # in the folder of the run, which is deleted
    ]
    return one_line(" ".join(lines), MESSAGE_CHARACTERS)


def _age(fields: Mapping[str, Any]) -> str | None:
    age, newest = fields.get("max_loaded_at_time_ago_in_s"), fields.get("max_loaded_at")
    if age is None:
        return None
    if str(newest).startswith(_NO_DATE):
        return "has no rows"
    return f"loaded {float(age) / 3600:.1f} hours ago, at {newest}"


def summary_of(nodes: Iterable[NodeResult], seconds: float) -> DbtSummary:
    """Count the nodes by result."""
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
    """Return the failed nodes with their messages."""
    return [
        NodeError(name=node["name"], status=node["status"], message=node["message"])
        for node in nodes
        if is_failed(node)
    ]


def status_of_summary(summary: DbtSummary, error: str | None) -> Status:
    """Return the status; a failure of dbt itself counts as a failed node."""
    succeeded = summary["passed"] + summary["warned"]
    return status_of(succeeded=succeeded, failed=summary["failed"] + (error is not None))
