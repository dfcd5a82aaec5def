"""Keeps ``ops.deployment_health`` in step with the runs that ended, and writes down who is to be told.

Reads ended runs from the Prefect API, from a little before the last one that was judged; writes the
ledger, the judged runs and the notices in one transaction, so that a process may die anywhere: what is
not judged is judged the next time, and what is judged is never judged again.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import WorkPoolFilter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.prefect_support.deployments import pools
from analytics_worker.prefect_support.pagination import pages
from analytics_worker.prefect_support.run_filters import ended
from analytics_worker.text import one_line
from flows.monitoring._ended_runs import deployment_names
from flows.monitoring._health_state import End, Health, Turn, fold
from flows.monitoring._notification_text import recipients

LOOK_BACK = timedelta(minutes=10)
"""Ends may reach the server's table in another order than they happened in."""
FIRST_LOOK = timedelta(minutes=10)


def judge_ended_runs(client: SyncPrefectClient, now: datetime) -> list[Turn]:
    """Judge what ended since the last time; the streaks that began or ended."""
    with warehouse() as connection:
        last = run_sql(connection, "monitoring/last_judged")[0]["ended_at"]
    ends = list(_ends(client, last - LOOK_BACK if last else now - FIRST_LOOK, now))
    if not ends:
        return []
    with warehouse() as connection:
        return _judge(connection, ends)


def _judge(connection: Connection, ends: list[End]) -> list[Turn]:
    keys = [_json(end, "run_id", "state_id", "ended_at") for end in ends]
    fresh = run_sql(connection, "monitoring/judge_runs", ends=json.dumps(keys))
    seen = {(row["run_id"], row["state_id"]) for row in fresh}
    new = [end for end in ends if (end.run_id, end.state_id) in seen]
    names = sorted({end.deployment for end in new})
    rows = run_sql(connection, "monitoring/load_health", deployments=names)
    ledger, turns = fold({row["deployment"]: Health(**row) for row in rows}, new)
    saved = [_json(health) for health in ledger.values()]
    run_sql(connection, "monitoring/save_health", rows=json.dumps(saved))
    notices = [row for turn in turns for row in _notices(turn)]
    run_sql(connection, "monitoring/add_notices", rows=json.dumps(notices))
    return turns


def _notices(turn: Turn) -> Iterable[dict[str, Any]]:
    """One for each recipient of the default channels."""
    details = {
        "state": turn.end.name,
        "message": turn.end.message,
        "run_id": str(turn.end.run_id),
        "ended_at": turn.end.ended_at.isoformat(),
        "since": turn.since.isoformat(),
        "failures": turn.failures,
    }
    for channel, recipient in recipients():
        yield {
            "deployment": turn.end.deployment,
            "kind": turn.kind,
            "details": details,
            "channel": channel,
            "recipient": recipient,
        }


def _ends(client: SyncPrefectClient, since: datetime, until: datetime) -> Iterable[End]:
    ours = WorkPoolFilter.model_validate({"name": {"any_": [pool.name for pool in pools()]}})
    flows = {flow.id: flow.name for flow in pages(client.read_flows)}
    names = deployment_names(client, flows)
    read = partial(
        client.read_flow_runs,
        flow_run_filter=ended(since, until),
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
    return value if isinstance(value, int | str) else str(value)
