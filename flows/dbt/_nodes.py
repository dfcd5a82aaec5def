"""Show dbt nodes in Prefect as task runs, and their relations as assets.

Writes task runs and asset events only. Each task run waits in a thread for the end of its node and
does no work itself. A run of more nodes than ``DBT_NODE_TASK_RUNS`` shows only those that failed, and
the slowest ones at its end: one task run a node would be too many requests to the server.
"""

import heapq
import re
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from prefect import Task
from prefect.assets import Asset, add_asset_metadata
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.tasks import MaterializingTask

from flows.dbt._dbt_artifacts import SKIPPED, NodeResult, is_failed, unfinished_node

_NOT_IN_KEYS = re.compile(r"[^\w.\-/]")
MATERIALIZED = frozenset({"model", "seed", "snapshot"})
SLOWEST = 20


class NodeRuns:
    """The task runs of one attempt.

    Args:
        shown: Whether nodes get task runs.
        limit: Up to so many nodes, each gets one; of more nodes, at most so many failed ones.
    """

    def __init__(self, *, limit: int, shown: bool = True) -> None:
        self._limit = limit
        self._shown = shown
        self._all = True
        self._nodes: dict[str, Mapping[str, Any]] = {}
        self._ends: dict[str, Future[NodeResult]] = {}
        self._runs: dict[str, PrefectFuture[Any]] = {}

    def expect(self, count: int) -> None:
        """Decide from the number of nodes whether each one is shown."""
        self._all = count <= self._limit

    def start(self, node: Mapping[str, Any]) -> None:
        """Start the task run of a node."""
        unique_id = node["unique_id"]
        if unique_id in self._ends or not self._shown:
            return
        self._nodes[unique_id] = node
        self._ends[unique_id] = Future[NodeResult]()
        self._all = self._all and len(self._nodes) <= self._limit
        if self._all:
            self._submit(unique_id)

    def end(self, result: NodeResult) -> None:
        """End the task run of a node; a failed node gets one if it has none."""
        unique_id = result["unique_id"]
        waiting = self._ends.get(unique_id)
        if waiting is None or waiting.done():
            return
        waiting.set_result(result)
        if is_failed(result) and len(self._runs) < self._limit:
            self._submit(unique_id)

    def fail_unfinished(self, reason: str) -> dict[str, NodeResult]:
        """End the task runs of nodes that dbt did not finish; return these nodes."""
        waiting = [unique_id for unique_id, end in self._ends.items() if not end.done()]
        unfinished = {unique_id: unfinished_node(unique_id, reason) for unique_id in waiting}
        for result in unfinished.values():
            self.end(result)
        self._show_slowest()
        for run in self._runs.values():
            run.wait()
        return unfinished

    def _show_slowest(self) -> None:
        """Show the slowest nodes; every node of a small run is shown already."""
        if self._limit and not self._all:
            seconds = {unique_id: end.result()["seconds"] for unique_id, end in self._ends.items()}
            for unique_id in heapq.nlargest(SLOWEST, seconds, key=seconds.__getitem__):
                self._submit(unique_id)

    def _submit(self, unique_id: str) -> None:
        if unique_id not in self._runs:
            task = _task(self._nodes[unique_id], self._ends[unique_id], late=not self._all)
            self._runs[unique_id] = task.submit()


def asset_key(node: Mapping[str, Any]) -> str | None:
    """Return ``postgres://warehouse/analytics/pipeline_kpis``; None without a relation."""
    relation = node.get("node_relation") or {}
    parts = [relation.get(part) for part in ("database", "schema", "alias")]
    if node.get("resource_type") not in MATERIALIZED or not all(parts):
        return None
    return "postgres://" + _NOT_IN_KEYS.sub("_", "/".join(map(str, parts)))


def _task(
    node: Mapping[str, Any], end: Future[NodeResult], *, late: bool = False
) -> Task[[], State[Any]]:
    title = f"{node['resource_type']} {node['node_name']}"
    key = None if node.get("materialized") == "ephemeral" else asset_key(node)
    wait = _node_waiter(end, key, late=late)
    if key is None:
        return Task(
            wait,
            name="dbt node",
            task_run_name=lambda: title,  # a string would be formatted, so braces would be replaced
            cache_policy=NO_CACHE,
            persist_result=False,
        )
    return MaterializingTask(
        wait,
        assets=[Asset(key=key)],
        materialized_by="dbt",
        name="dbt node",
        task_run_name=lambda: title,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def _node_waiter(
    end: Future[NodeResult], key: str | None, *, late: bool
) -> Callable[[], State[Any]]:
    def wait() -> State[Any]:
        result = end.result()
        if key is not None:
            add_asset_metadata(key, {"status": result["status"], "rows": result["rows"]})
        took = f"{result['seconds']:.1f} s: " if late else ""  # it started before its task run
        if is_failed(result):
            return Failed(message=took + (result["message"] or result["status"]))
        name = "Skipped" if result["status"] in SKIPPED else None
        return Completed(name=name, message=took + result["message"])

    return wait
