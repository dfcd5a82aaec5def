"""Update ``ops.deployment_health`` from the runs that ended, and enqueue messages about its changes.

Reads ended runs from the Prefect API, starting shortly before the last processed one. Writes the health, the
processed runs and the messages in one transaction, so a process can be killed at any point: each run is
processed exactly once.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import WorkPoolFilter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery import Recipient, enqueue
from analytics_worker.prefect_support.deployments import pools
from analytics_worker.prefect_support.pagination import pages
from analytics_worker.prefect_support.run_filters import runs_ended
from analytics_worker.text import one_line
from flows.monitoring.deployment_health.dbt_failures import (
    mark_dbt_failures_notified,
    with_dbt_failures,
)
from flows.monitoring.deployment_health.messages import change_messages, failing_message
from flows.monitoring.deployment_health.state_machine import (
    DeploymentHealth,
    HealthChange,
    RunEnd,
    apply_runs,
)
from flows.monitoring.notifications.recipients import monitoring_recipients
from flows.monitoring.runs.ended_runs import deployment_names

OVERLAP = timedelta(minutes=10)
"""Runs may be stored by the server in another order than they ended in."""
INITIAL_PERIOD = timedelta(minutes=10)


class HealthUpdate(NamedTuple):
    """The changes of one update.

    Attributes:
        changes: Deployments that started to fail or recovered.
        messages: Ids of the enqueued messages.
        unnotified: Failing deployments without a notification.
    """

    changes: list[HealthChange]
    messages: list[UUID]
    unnotified: list[str]


def update_health(client: SyncPrefectClient, now: datetime) -> HealthUpdate:
    """Process the runs that ended since the last update; enqueue messages about the changes."""
    with warehouse() as connection:
        last = run_sql(connection, "monitoring/last_run_end")[0]["ended_at"]
    ends = list(_run_ends(client, last - OVERLAP if last else now - INITIAL_PERIOD, now))
    recipients = monitoring_recipients()
    with warehouse() as connection:
        changes, messages = _process(connection, ends, recipients) if ends else ([], [])
        late, unnotified = _notify_unnotified(connection, recipients)
    return HealthUpdate(changes, [*messages, *late], unnotified)


def _process(
    connection: Connection, ends: list[RunEnd], recipients: list[Recipient]
) -> tuple[list[HealthChange], list[UUID]]:
    keys = [_json(end, "run_id", "state_id", "ended_at") for end in ends]
    recorded = run_sql(connection, "monitoring/record_run_ends", ends=json.dumps(keys))
    new_ids = {(row["run_id"], row["state_id"]) for row in recorded}
    new = with_dbt_failures(
        connection, [end for end in ends if (end.run_id, end.state_id) in new_ids]
    )
    names = sorted({end.deployment for end in new})
    rows = run_sql(connection, "monitoring/load_health", deployments=names)
    after, changes = apply_runs({row["deployment"]: DeploymentHealth(**row) for row in rows}, new)
    notified = {row["deployment"]: row["notified_since"] for row in rows}
    messages, notified = change_messages(changes, notified, recipients)
    saved = [
        _json(replace(health, notified_since=notified.get(name))) for name, health in after.items()
    ]
    run_sql(connection, "monitoring/save_health", rows=json.dumps(saved))
    enqueue(connection, messages)
    if recipients:
        mark_dbt_failures_notified(connection, new)
    return changes, [each.id for each in messages if each.id]


def _notify_unnotified(
    connection: Connection, recipients: list[Recipient]
) -> tuple[list[UUID], list[str]]:
    """Enqueue messages about failing deployments without a notification, if there are recipients now.

    Returns:
        The ids of the messages, and the deployments that are still without a notification.
    """
    rows = run_sql(connection, "monitoring/lock_unnotified")
    unnotified = [DeploymentHealth(**row) for row in rows]
    if not unnotified or not recipients:
        return [], [health.deployment for health in unnotified]
    messages = [failing_message(health, recipients) for health in unnotified]
    enqueue(connection, messages)
    names = [health.deployment for health in unnotified]
    run_sql(connection, "monitoring/mark_notified", deployments=names)
    return [each.id for each in messages if each.id], []


def _run_ends(client: SyncPrefectClient, since: datetime, until: datetime) -> Iterable[RunEnd]:
    our_pools = WorkPoolFilter.model_validate({"name": {"any_": [pool.name for pool in pools()]}})
    flows = {flow.id: flow.name for flow in pages(client.read_flows)}
    names = deployment_names(client, flows)
    read = partial(
        client.read_flow_runs,
        flow_run_filter=runs_ended(since, until),
        work_pool_filter=our_pools,
        sort=FlowRunSort.ID_DESC,
    )
    for run in pages(read):
        if run.state is not None and run.deployment_id in names and run.end_time is not None:
            yield _run_end(run, names[run.deployment_id], run.end_time)


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
