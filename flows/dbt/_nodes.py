"""Show each dbt node in Prefect as a task run, and each relation as an asset.

Writes task runs and asset events only. Each task run waits in a thread for the end of its node and
does no work itself.
"""

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


class NodeRuns:
    """The task runs of one attempt."""

    def __init__(self, *, shown: bool = True) -> None:
        self._shown = shown
        self._ends: dict[str, Future[NodeResult]] = {}
        self._runs: list[PrefectFuture[Any]] = []

    def start(self, node: Mapping[str, Any]) -> None:
        """Start the task run of a node."""
        unique_id = node["unique_id"]
        if unique_id in self._ends or not self._shown:
            return
        end = self._ends[unique_id] = Future[NodeResult]()
        self._runs.append(_task(node, end).submit())

    def end(self, result: NodeResult) -> None:
        """End the task run of a node."""
        waiting = self._ends.get(result["unique_id"])
        if waiting is not None and not waiting.done():
            waiting.set_result(result)

    def fail_unfinished(self, reason: str) -> dict[str, NodeResult]:
        """End the task runs of nodes that dbt did not finish; return these nodes."""
        waiting = [unique_id for unique_id, end in self._ends.items() if not end.done()]
        unfinished = {unique_id: unfinished_node(unique_id, reason) for unique_id in waiting}
        for result in unfinished.values():
            self.end(result)
        for run in self._runs:
            run.wait()
        return unfinished


def asset_key(node: Mapping[str, Any]) -> str | None:
    """Return ``postgres://warehouse/analytics/pipeline_kpis``; None without a relation."""
    relation = node.get("node_relation") or {}
    parts = [relation.get(part) for part in ("database", "schema", "alias")]
    if node.get("resource_type") not in MATERIALIZED or not all(parts):
        return None
    return "postgres://" + _NOT_IN_KEYS.sub("_", "/".join(map(str, parts)))


def _task(node: Mapping[str, Any], end: Future[NodeResult]) -> Task[[], State[Any]]:
    title = f"{node['resource_type']} {node['node_name']}"
    key = None if node.get("materialized") == "ephemeral" else asset_key(node)
    wait = _node_waiter(end, key)
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


def _node_waiter(end: Future[NodeResult], key: str | None) -> Callable[[], State[Any]]:
    def wait() -> State[Any]:
        result = end.result()
        if key is not None:
            add_asset_metadata(key, {"status": result["status"], "rows": result["rows"]})
        if is_failed(result):
            return Failed(message=result["message"] or result["status"])
        name = "Skipped" if result["status"] in SKIPPED else None
        return Completed(name=name, message=result["message"])

    return wait
