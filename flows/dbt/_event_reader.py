"""Collect the outcome of a dbt process from its events, and show them in the run.

Writes task runs and log lines; see `NodeRuns` and `LogLines`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.dbt._dbt_artifacts import DbtOutcome, is_failed, node_of_event
from flows.dbt._log_lines import LogLines
from flows.dbt._nodes import NodeRuns

SUPPRESSED_EVENTS = frozenset(
    {"EndOfRunSummary", "MainReportVersion", "AdapterRegistered", "SQLCompiledPath"}
)
EPHEMERAL = "ephemeral"


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
    node_count: int = 0
    done: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the process said about its end."""

    def handle(self, event: Mapping[str, Any]) -> None:
        """Process one event: forward log lines to the run, nodes to their task runs."""
        if event["event"] == "nodes":
            self.node_count = event["count"]
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
            self.finished, self.done = True, event
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
