"""Check the Prefect server: workers, schedules, retention, crash detection, clock.

Reads the Prefect API; writes nothing.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, StateType, WorkerStatus, WorkPool
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound

from analytics_worker.doctor.database import skew
from analytics_worker.doctor.findings import Finding, graded
from analytics_worker.prefect_support.clock_difference import seconds_ahead
from analytics_worker.prefect_support.deployments import DeployedFlow, deployed_flows, pools
from analytics_worker.prefect_support.heartbeat_timeout import HEARTBEAT_AUTOMATION
from analytics_worker.prefect_support.pagination import pages
from analytics_worker.prefect_support.run_filters import runs_due, runs_in_states
from analytics_worker.prefect_support.stopped_work import (
    Stopped,
    missing_pool,
    stopped_by,
    stopped_deployment,
)

MIN_LATENESS = timedelta(minutes=2)
DEPLOY_FIX = "`analytics-worker deploy`"


def clock(client: SyncPrefectClient) -> Iterator[Finding]:
    """Compare the server's clock, in whole seconds, with this host's."""
    sent = time.time()
    date = client.request("GET", "/health").headers.get("date", "")
    ahead = seconds_ahead(date, sent, time.time())
    if ahead is not None:
        yield skew("prefect server", abs(ahead))


def workers(client: SyncPrefectClient) -> Iterator[Finding]:
    """Check that each work pool has an online worker, and that it and its queues hand out runs."""
    existing = _pools(client)
    for pool in pools():
        if pool.name not in existing:
            missing = missing_pool(pool.name, existing)
            yield Finding("workers", pool.name, "fail", *missing)
            continue
        pool_workers = client.read_workers_for_work_pool(pool.name)
        online = sum(worker.status is WorkerStatus.ONLINE for worker in pool_workers)
        fix = f"`analytics-worker worker --pool {pool.name}`, or `make up`"
        yield graded("workers", pool.name, f"{online} online", fail=not online, fix=fix)
        for stopped in stopped_by(client, existing[pool.name]):
            yield Finding("workers", pool.name, "warn", *stopped)


def _pools(client: SyncPrefectClient) -> Mapping[str, WorkPool]:
    return {pool.name: pool for pool in pages(client.read_work_pools)}


def _stopped_pools(client: SyncPrefectClient) -> Mapping[str, Stopped]:
    """Return the first thing that stops each pool of prefect.yaml that is stopped."""
    existing = _pools(client)
    found = {
        pool.name: stopped_by(client, existing[pool.name])
        for pool in pools()
        if pool.name in existing
    }
    return {name: stopped[0] for name, stopped in found.items() if stopped}


def schedules(client: SyncPrefectClient) -> Iterator[Finding]:
    """Check that each scheduled deployment has scheduled runs, none of them late."""
    late, stopped = _late_runs(client), _stopped_pools(client)
    for deployed_flow in deployed_flows():
        if deployed_flow.deployment.schedules:
            yield _schedule(client, deployed_flow, late, stopped)


def _schedule(
    client: SyncPrefectClient,
    deployed_flow: DeployedFlow,
    late: Counter[object],
    stopped: Mapping[str, Stopped],
) -> Finding:
    name = str(deployed_flow)
    try:
        deployment = client.read_deployment_by_name(name)
    except ObjectNotFound:
        return Finding("schedules", name, "fail", "not deployed", DEPLOY_FIX)
    if cause := stopped_deployment(deployed_flow.deployment, deployment):
        return Finding("schedules", name, "warn", *cause)
    if deployment.paused or not any(schedule.active for schedule in deployment.schedules):
        is_wanted = any(schedule.active for schedule in deployed_flow.deployment.schedules)
        return graded("schedules", name, "paused", warn=is_wanted, fix=DEPLOY_FIX)
    overdue, next_run = late[deployment.id], _next_run(client, deployment.id)
    if overdue:
        return _late_schedule(name, overdue, stopped.get(deployment.work_pool_name or ""))
    if next_run is None or next_run.next_scheduled_start_time is None:
        fix = "The server's scheduler does not run: see server.log."
        return Finding("schedules", name, "fail", "nothing is scheduled", fix)
    start = next_run.next_scheduled_start_time.astimezone(UTC)
    return Finding("schedules", name, "ok", f"on time, next {start:%m-%d %H:%M} UTC")


def _late_schedule(name: str, overdue: int, stopped: Stopped | None) -> Finding:
    message = f"{overdue} runs are late"
    if stopped:
        return Finding("schedules", name, "fail", f"{message}: {stopped.message}", stopped.fix)
    fix = "Its pool is full or has no worker: `analytics-worker status`."
    return Finding("schedules", name, "fail", message, fix)


def _late_runs(client: SyncPrefectClient) -> Counter[object]:
    criteria = runs_due(datetime.now(UTC) - MIN_LATENESS)
    read = partial(client.read_flow_runs, flow_run_filter=criteria, sort=FlowRunSort.ID_DESC)
    return Counter(run.deployment_id for run in pages(read))


def _next_run(client: SyncPrefectClient, deployment: object) -> FlowRun | None:
    criteria = runs_in_states([StateType.SCHEDULED], deployment_id={"any_": [str(deployment)]})
    scheduled = client.read_flow_runs(
        flow_run_filter=criteria, sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC, limit=1
    )
    return scheduled[0] if scheduled else None


def retention(client: SyncPrefectClient) -> Iterator[Finding]:
    """Check that the server deletes old runs, logs and events."""
    response = client.request("GET", "/admin/settings").json()
    vacuum = response["server"]["services"]["db_vacuum"]
    enabled = str(vacuum["enabled"])
    is_on = all(kind in enabled for kind in ("events", "flow_runs")) or enabled == "True"
    fix = "Start the server with PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED=events,flow_runs."
    message = "runs, logs and events" if is_on else f"only {enabled}: runs are never deleted"
    yield graded("retention", "server's vacuum", message, warn=not is_on, fix=fix)


def recovery(client: SyncPrefectClient) -> Iterator[Finding]:
    """Check that the automation that crashes runs without heartbeats exists and is active."""
    automations = client.read_automations_by_name(HEARTBEAT_AUTOMATION)
    if not automations:
        yield Finding(
            "recovery", "runs without heartbeats", "fail", "no automation ends them", DEPLOY_FIX
        )
        return
    paused = not automations[0].enabled
    message = "the automation is paused" if paused else "ended by an automation"
    fix = f"`prefect automation resume '{HEARTBEAT_AUTOMATION}'`"
    yield graded("recovery", "runs without heartbeats", message, warn=paused, fix=fix)
