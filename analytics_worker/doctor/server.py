"""The Prefect server: workers, schedules, retention, recovery, its clock.

Reads the Prefect API; writes nothing.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, StateType, WorkerStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from analytics_worker.doctor.database import skew
from analytics_worker.doctor.findings import Finding, judged
from analytics_worker.prefect_support.deployments import DeployedFlow, deployed_flows, pools
from analytics_worker.prefect_support.heartbeat_settings import HEARTBEAT_AUTOMATION
from analytics_worker.prefect_support.pagination import pages
from analytics_worker.prefect_support.run_filters import runs_due, runs_in_states

LATE = timedelta(minutes=2)
DEPLOY = "`analytics-worker deploy`"


def clock(client: SyncPrefectClient) -> Iterator[Finding]:
    """The server's clock against ours; its answers carry whole seconds."""
    sent = client.request("GET", "/health").headers.get("date")
    if sent:
        seconds = abs((parsedate_to_datetime(sent) - datetime.now(UTC)).total_seconds())
        yield skew("prefect server", max(seconds - 1, 0))


def workers(client: SyncPrefectClient) -> Iterator[Finding]:
    """Some worker serves each pool."""
    for pool in pools():
        try:
            found = client.read_workers_for_work_pool(pool.name)
        except PrefectHTTPStatusError:
            yield Finding("workers", pool.name, "fail", "no such pool", DEPLOY)
            continue
        online = sum(worker.status is WorkerStatus.ONLINE for worker in found)
        fix = f"`analytics-worker worker --pool {pool.name}`, or `make up`"
        yield judged("workers", pool.name, f"{online} online", fail=not online, fix=fix)


def schedules(client: SyncPrefectClient) -> Iterator[Finding]:
    """Each scheduled deployment has runs to come, and none that should have begun."""
    late = _late_runs(client)
    for entry in deployed_flows():
        if entry.deployment.schedules:
            yield _schedule(client, entry, late)


def _schedule(client: SyncPrefectClient, entry: DeployedFlow, late: Counter[object]) -> Finding:
    name = str(entry)
    try:
        deployment = client.read_deployment_by_name(name)
    except ObjectNotFound:
        return Finding("schedules", name, "fail", "not deployed", DEPLOY)
    if deployment.paused or not any(schedule.active for schedule in deployment.schedules):
        fix = f"`prefect deployment schedule resume {name} …`, or leave it."
        return Finding("schedules", name, "warn", "paused", fix)
    overdue, next_run = late[deployment.id], _next_run(client, deployment.id)
    if overdue:
        fix = "Its pool is full or has no worker: `analytics-worker status`."
        return Finding("schedules", name, "fail", f"{overdue} runs are late", fix)
    if next_run is None or next_run.next_scheduled_start_time is None:
        fix = "The server's scheduler does not run: look at server.log."
        return Finding("schedules", name, "fail", "nothing is scheduled", fix)
    when = next_run.next_scheduled_start_time.astimezone(UTC)
    return Finding("schedules", name, "ok", f"on time, next {when:%m-%d %H:%M} UTC")


def _late_runs(client: SyncPrefectClient) -> Counter[object]:
    wanted = runs_due(datetime.now(UTC) - LATE)
    read = partial(client.read_flow_runs, flow_run_filter=wanted, sort=FlowRunSort.ID_DESC)
    return Counter(run.deployment_id for run in pages(read))


def _next_run(client: SyncPrefectClient, deployment: object) -> FlowRun | None:
    wanted = runs_in_states([StateType.SCHEDULED], deployment_id={"any_": [str(deployment)]})
    found = client.read_flow_runs(
        flow_run_filter=wanted, sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC, limit=1
    )
    return found[0] if found else None


def retention(client: SyncPrefectClient) -> Iterator[Finding]:
    """Old runs, logs and events are deleted by the server."""
    answer = client.request("GET", "/admin/settings").json()
    vacuum = answer["server"]["services"]["db_vacuum"]
    enabled = str(vacuum["enabled"])
    on = all(kind in enabled for kind in ("events", "flow_runs")) or enabled == "True"
    fix = "Start the server with PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED=events,flow_runs."
    message = "runs, logs and events" if on else f"only {enabled}: runs are never deleted"
    yield judged("retention", "server's vacuum", message, warn=not on, fix=fix)


def recovery(client: SyncPrefectClient) -> Iterator[Finding]:
    """The automation that ends silent runs is there and not paused."""
    found = client.read_automations_by_name(HEARTBEAT_AUTOMATION)
    if not found:
        yield Finding("recovery", "silent runs", "fail", "no automation ends them", DEPLOY)
        return
    paused = not found[0].enabled
    message = "the automation is paused" if paused else "ended by an automation"
    fix = f"`prefect automation resume '{HEARTBEAT_AUTOMATION}'`"
    yield judged("recovery", "silent runs", message, warn=paused, fix=fix)
