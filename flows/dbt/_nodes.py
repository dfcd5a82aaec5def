"""Every node that dbt works on, visible in Prefect: a task run each, and an asset each relation.

Writes task runs, asset events and nothing else. The task runs follow the child's events: they wait
in threads for their node's end and do no work themselves.
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

from flows.dbt._results import SKIPPED, NodeResult, is_failed, unfinished

_NOT_IN_KEYS = re.compile(r"[^\w.\-/]")
MATERIALIZED = frozenset({"model", "seed", "snapshot"})


class NodeRuns:
    """The task runs of one attempt."""

    def __init__(self, *, shown: bool = True) -> None:
        self._shown = shown
        self._ends: dict[str, Future[NodeResult]] = {}
        self._runs: list[PrefectFuture[Any]] = []

    def start(self, node: Mapping[str, Any]) -> None:
        """A node is being worked on."""
        unique_id = node["unique_id"]
        if unique_id in self._ends or not self._shown:
            return
        end = self._ends[unique_id] = Future[NodeResult]()
        self._runs.append(_task(node, end).submit())

    def end(self, result: NodeResult) -> None:
        """A node has ended."""
        waiting = self._ends.get(result["unique_id"])
        if waiting is not None and not waiting.done():
            waiting.set_result(result)

    def abandon(self, reason: str) -> dict[str, NodeResult]:
        """Let nobody wait for nodes that dbt will not finish any more; which those are."""
        waiting = [unique_id for unique_id, end in self._ends.items() if not end.done()]
        left = {unique_id: unfinished(unique_id, reason) for unique_id in waiting}
        for result in left.values():
            self.end(result)
        for run in self._runs:
            run.wait()
        return left


def asset_key(node: Mapping[str, Any]) -> str | None:
    """``postgres://warehouse/analytics/pipeline_kpis``; None for what has no relation."""
    relation = node.get("node_relation") or {}
    parts = [relation.get(part) for part in ("database", "schema", "alias")]
    if node.get("resource_type") not in MATERIALIZED or not all(parts):
        return None
    return "postgres://" + _NOT_IN_KEYS.sub("_", "/".join(map(str, parts)))


def _task(node: Mapping[str, Any], end: Future[NodeResult]) -> Task[[], State[Any]]:
    title = f"{node['resource_type']} {node['node_name']}"
    key = None if node.get("materialized") == "ephemeral" else asset_key(node)
    follow = _follow(end, key)
    if key is None:
        return Task(
            follow,
            name="dbt node",
            task_run_name=lambda: title,  # a text would be a format, in which braces mean something
            cache_policy=NO_CACHE,
            persist_result=False,
        )
    return MaterializingTask(
        follow,
        assets=[Asset(key=key)],
        materialized_by="dbt",
        name="dbt node",
        task_run_name=lambda: title,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def _follow(end: Future[NodeResult], key: str | None) -> Callable[[], State[Any]]:
    def follow() -> State[Any]:
        result = end.result()
        if key is not None:
            add_asset_metadata(key, {"status": result["status"], "rows": result["rows"]})
        if is_failed(result):
            return Failed(message=result["message"] or result["status"])
        name = "Skipped" if result["status"] in SKIPPED else None
        return Completed(name=name, message=result["message"])

    return follow
