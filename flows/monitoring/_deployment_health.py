"""Keep ``ops.deployment_health`` in step with the runs that ended, and notify of what turned.

Reads ended runs from the Prefect API, from a little before the last one that was judged; writes the
ledger, the judged runs and the messages in one transaction, so that a process may die anywhere: what is
not judged is judged the next time, and what is judged is never judged again.
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
from flows.monitoring._ended_runs import deployment_names
from flows.monitoring._health_messages import turn_messages, untold_message
from flows.monitoring._health_state import End, Health, Turn, fold
from flows.monitoring._recipients import monitoring_recipients

LOOK_BACK = timedelta(minutes=10)
"""Ends may reach the server's table in another order than they happened in."""
FIRST_LOOK = timedelta(minutes=10)


class HealthChanges(NamedTuple):
    """What one look changed.

    Attributes:
        turns: Streaks that began or ended.
        messages: Ids of what was enqueued.
        untold: Deployments that fail and that nobody was notified of.
    """

    turns: list[Turn]
    messages: list[UUID]
    untold: list[str]


def update_health(client: SyncPrefectClient, now: datetime) -> HealthChanges:
    """Judge what ended since the last time; enqueue messages to whoever is to be notified."""
    with warehouse() as connection:
        last = run_sql(connection, "monitoring/last_judged")[0]["ended_at"]
    ends = list(_ends(client, last - LOOK_BACK if last else now - FIRST_LOOK, now))
    recipients = monitoring_recipients()
    with warehouse() as connection:
        turns, messages = _judge(connection, ends, recipients) if ends else ([], [])
        late, untold = _notify_untold(connection, recipients)
    return HealthChanges(turns, [*messages, *late], untold)


def _judge(
    connection: Connection, ends: list[End], recipients: list[Recipient]
) -> tuple[list[Turn], list[UUID]]:
    keys = [_json(end, "run_id", "state_id", "ended_at") for end in ends]
    fresh = run_sql(connection, "monitoring/judge_runs", ends=json.dumps(keys))
    seen = {(row["run_id"], row["state_id"]) for row in fresh}
    new = [end for end in ends if (end.run_id, end.state_id) in seen]
    names = sorted({end.deployment for end in new})
    rows = run_sql(connection, "monitoring/load_health", deployments=names)
    ledger, turns = fold({row["deployment"]: Health(**row) for row in rows}, new)
    notified = {row["deployment"]: row["notified_since"] for row in rows}
    messages, notified = turn_messages(turns, notified, recipients)
    saved = [
        _json(replace(health, notified_since=notified.get(name))) for name, health in ledger.items()
    ]
    run_sql(connection, "monitoring/save_health", rows=json.dumps(saved))
    enqueue(connection, messages)
    return turns, [each.id for each in messages if each.id]


def _notify_untold(
    connection: Connection, recipients: list[Recipient]
) -> tuple[list[UUID], list[str]]:
    """Notify of failing deployments that nobody was notified of, if there is somebody now.

    Returns:
        The ids of the messages, and the deployments that nobody is notified of still.
    """
    rows = run_sql(connection, "monitoring/load_untold")
    untold = [Health(**row) for row in rows]
    if not untold or not recipients:
        return [], [health.deployment for health in untold]
    messages = [untold_message(health, recipients) for health in untold]
    enqueue(connection, messages)
    names = [health.deployment for health in untold]
    run_sql(connection, "monitoring/mark_notified", deployments=names)
    return [each.id for each in messages if each.id], []


def _ends(client: SyncPrefectClient, since: datetime, until: datetime) -> Iterable[End]:
    ours = WorkPoolFilter.model_validate({"name": {"any_": [pool.name for pool in pools()]}})
    flows = {flow.id: flow.name for flow in pages(client.read_flows)}
    names = deployment_names(client, flows)
    read = partial(
        client.read_flow_runs,
        flow_run_filter=runs_ended(since, until),
        work_pool_filter=ours,
        sort=FlowRunSort.ID_DESC,
    )
    for run in pages(read):
        if run.state is not None and run.deployment_id in names and run.end_time is not None:
            yield _end(run, names[run.deployment_id], run.end_time)


def _end(run: FlowRun, deployment: str, ended_at: datetime) -> End:
    state = run.state
    if state is None:
        raise ValueError(f"{run.id} has no state")
    return End(
        deployment=deployment,
        run_id=run.id,
        state_id=state.id,
        ended_at=ended_at,
        name=state.name or state.type.value,
        kind=state.type.value,
        message=one_line(state.message or ""),
    )


def _json(row: End | Health, *names: str) -> dict[str, Any]:
    values = asdict(row)
    wanted = names or values.keys()
    return {
        name: value.isoformat() if isinstance(value, datetime) else _plain(value)
        for name, value in values.items()
        if name in wanted
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str | None) else str(value)
