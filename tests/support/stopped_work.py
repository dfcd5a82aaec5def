"""Pause, or set to 0, what can keep runs from starting besides a pool; and undo it by the fix that is named."""

import os
import shlex
import subprocess
import sys

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentUpdate, GlobalConcurrencyLimitUpdate
from prefect.settings import PREFECT_API_URL

from analytics_worker.deployment.deploy import deploy, desired_state
from analytics_worker.prefect_support.stopped_work import DEPLOY

PAUSED, SCHEDULE, LIMIT = "refresh-catalog/analytics", "run-dbt-models/dbt", "run-dbt-tests/dbt"


def stop_queues(client: SyncPrefectClient) -> None:
    """Pause the queue of one pool, and set the limit of another one's to 0."""
    paused = client.read_work_queue_by_name("default", "reports")
    client.update_work_queue(paused.id, is_paused=True)
    limited = client.read_work_queue_by_name("default", "alerts")
    client.update_work_queue(limited.id, concurrency_limit=0)


def stop_deployments(client: SyncPrefectClient) -> None:
    """Pause one deployment, the schedule of another, and set the limit of a third to 0."""
    paused = client.read_deployment_by_name(PAUSED)
    client.update_deployment(paused.id, DeploymentUpdate(paused=True))
    scheduled = client.read_deployment_by_name(SCHEDULE)
    client.update_deployment_schedule(scheduled.id, scheduled.schedules[0].id, active=False)
    limit = client.read_deployment_by_name(LIMIT).global_concurrency_limit
    assert limit is not None
    client.update_global_concurrency_limit(limit.name, GlobalConcurrencyLimitUpdate(limit=0))


def carry_out(fix: str, client: SyncPrefectClient) -> None:
    """Do what a fix says: the command between its first backquotes."""
    command = fix.split("`")[1]
    if f"`{command}`" == DEPLOY:
        deploy(desired_state(), client)
        return
    program, *arguments = shlex.split(command)
    subprocess.run(
        [sys.executable, "-m", program, *arguments],
        env={**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value()},
        stdin=subprocess.DEVNULL,
        check=True,
        capture_output=True,
        timeout=60,
    )
