"""Update ``ops.deployment_health`` from the runs that ended, and the incidents with it.

Reads ended runs from the Prefect API, starting shortly before the last processed one. Writes the health, the
processed runs, those that were lost with their request, the incidents and their messages in one transaction, so a
process can be killed at any point: each run is processed exactly once.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowFilter, WorkPoolFilter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.lineage.graph import Node
from analytics_worker.prefect_support.deployments import pools
from analytics_worker.prefect_support.pagination import pages
from analytics_worker.prefect_support.run_filters import runs_ended
from analytics_worker.text import one_line
from flows.monitoring.deployment_health.dbt_failures import with_dbt_failures
from flows.monitoring.deployment_health.state_machine import (
    DeploymentHealth,
    HealthChange,
    RunEnd,
    apply_runs,
)
from flows.monitoring.incidents.causes import Problem, Severity
from flows.monitoring.incidents.update import IncidentUpdate, update_incidents
from flows.monitoring.lost_requests.detection import lost_request_time
from flows.monitoring.notifications.text import PARTIAL
from flows.monitoring.runs.ended_runs import deployment_names

OVERLAP = timedelta(minutes=10)
"""Runs may be stored by the server in another order than they ended in."""
INITIAL_PERIOD = timedelta(minutes=10)
OF_UNITS = frozenset({"Failed", PARTIAL})
"""States that a unit of the run may be the cause of."""


def update_health(client: SyncPrefectClient, now: datetime) -> IncidentUpdate:
    """Process the runs that ended since the last update; bring the incidents in step."""
    with warehouse() as connection:
        last = run_sql(connection, "monitoring/last_run_end")[0]["ended_at"]
    ends = list(_run_ends(client, last - OVERLAP if last else now - INITIAL_PERIOD, now))
    with warehouse() as connection:
        changes = _process(connection, ends) if ends else []
        return update_incidents(connection, now, list(_failures(changes)))


def _process(connection: Connection, ends: list[RunEnd]) -> list[HealthChange]:
    keys = [_json(end, "run_id", "state_id", "ended_at") for end in ends]
    recorded = run_sql(connection, "monitoring/record_run_ends", ends=json.dumps(keys))
    new_ids = {(row["run_id"], row["state_id"]) for row in recorded}
    new = with_dbt_failures(
        connection, [end for end in ends if (end.run_id, end.state_id) in new_ids]
    )
    _record_lost(connection, new)
    names = sorted({end.deployment for end in new})
    rows = run_sql(connection, "monitoring/load_health", deployments=names)
    after, changes = apply_runs({row["deployment"]: DeploymentHealth(**row) for row in rows}, new)
    run_sql(connection, "monitoring/save_health", rows=json.dumps([*map(_json, after.values())]))
    return changes


def _record_lost(connection: Connection, ends: Iterable[RunEnd]) -> None:
    fields = ("run_id", "deployment", "requested_at", "ended_at", "name", "message")
    if lost := [_json(end, *fields) for end in ends if end.requested_at]:
        run_sql(connection, "monitoring/add_lost_requests", runs=json.dumps(lost))


def _failures(changes: Iterable[HealthChange]) -> Iterator[Problem]:
    """Yield the failures, also those that have ended within the same update."""
    for change in changes:
        if change.kind == "failing":
            end = change.end
            yield Problem(
                unit=Node("deployment", end.deployment),
                severity=Severity.WARNING if end.name == PARTIAL else Severity.CRITICAL,
                since=change.since,
                message=end.message,
                reader="deployments",
                run_id=str(end.run_id) if end.name in OF_UNITS else None,
                label=f"{end.deployment}: {end.name}",
            )


def _run_ends(client: SyncPrefectClient, since: datetime, until: datetime) -> Iterable[RunEnd]:
    our_pools = WorkPoolFilter.model_validate({"name": {"any_": [pool.name for pool in pools()]}})
    read = partial(
        client.read_flow_runs,
        flow_run_filter=runs_ended(since, until),
        work_pool_filter=our_pools,
        sort=FlowRunSort.ID_DESC,
    )
    ended = list(pages(read))
    names = _deployment_names(client, ended)
    for run in ended:
        if run.state is not None and run.deployment_id in names and run.end_time is not None:
            yield _run_end(run, names[run.deployment_id], run.end_time)


def _deployment_names(client: SyncPrefectClient, runs: Sequence[FlowRun]) -> dict[UUID | None, str]:
    """Return the full names of the deployments of these runs."""
    flow_ids = {run.flow_id for run in runs}
    deployment_ids = {run.deployment_id for run in runs if run.deployment_id}
    if not deployment_ids:
        return {}
    of_runs = FlowFilter.model_validate({"id": {"any_": sorted(flow_ids)}})
    flows = {flow.id: flow.name for flow in pages(partial(client.read_flows, flow_filter=of_runs))}
    return deployment_names(client, flows, deployment_ids)


def _run_end(run: FlowRun, deployment: str, ended_at: datetime) -> RunEnd:
    state = run.state
    if state is None:
        raise ValueError(f"{run.id} has no state")
    return RunEnd(
        deployment=deployment,
        run_id=run.id,
        state_id=state.id,
        ended_at=ended_at,
        name=state.name or state.type.value,
        kind=state.type.value,
        message=one_line(state.message or ""),
        requested_at=lost_request_time(run),
    )


def _json(row: RunEnd | DeploymentHealth, *names: str) -> dict[str, Any]:
    values = asdict(row)
    selected = names or values.keys()
    return {
        name: value.isoformat() if isinstance(value, datetime) else _plain(value)
        for name, value in values.items()
        if name in selected
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str | None) else str(value)
