"""Why runs do not start although workers serve their pool: someone paused or deleted something, or set a limit to 0.

Reads queues of the Prefect API, and what it is given; writes nothing.
"""

import shlex
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import WorkPool, WorkQueue
from prefect.client.schemas.responses import DeploymentResponse

from analytics_worker.prefect_support.deployments import Deployment, pools
from analytics_worker.text import first_of, one_line

DEPLOY = "`analytics-worker deploy`"
MAX_NAMES = 20


class Stopped(NamedTuple):
    """What is stopped, and how to resume it."""

    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.message}: {self.fix}"


def stopped_by(client: SyncPrefectClient, pool: WorkPool) -> list[Stopped]:
    """Return what keeps a pool from handing out runs: itself, or its queues."""
    found = (stopped_pool(pool), *map(stopped_queue, client.read_work_queues(pool.name)))
    return [each for each in found if each]


def stopped_pool(pool: WorkPool) -> Stopped | None:
    """Return what stops the pool; None if nothing does."""
    name = shlex.quote(pool.name)
    if pool.is_paused:
        return Stopped(f"pool {pool.name} is paused", f"`prefect work-pool resume {name}`")
    if pool.concurrency_limit == 0:
        fix = f"`prefect work-pool set-concurrency-limit {name} …`, or {DEPLOY}"
        return Stopped(f"pool {pool.name} has the limit 0", fix)
    return None


def stopped_queue(queue: WorkQueue) -> Stopped | None:
    """Return what stops a queue of a pool; None if nothing does."""
    pool = str(queue.work_pool_name)
    label = f"queue {queue.name} of pool {pool}"
    names = f"{shlex.quote(queue.name)} --pool {shlex.quote(pool)}"
    if queue.is_paused:
        return Stopped(f"{label} is paused", f"`prefect work-queue resume {names}`")
    if queue.concurrency_limit == 0:
        fix = f"`prefect work-queue clear-concurrency-limit {names}`"
        return Stopped(f"{label} has the limit 0", fix)
    return None


def stopped_deployment(wanted: Deployment, found: DeploymentResponse) -> Stopped | None:
    """Return what keeps all runs of a deployment, or those of its schedules, from starting; None if nothing does."""
    if found.work_pool_name is None:
        return Stopped("its work pool was deleted", DEPLOY)
    limit = found.global_concurrency_limit
    if limit is not None and limit.limit == 0:
        return Stopped("its limit of concurrent runs is 0", DEPLOY)
    return _stopped_schedules(wanted, found)


def _stopped_schedules(wanted: Deployment, found: DeploymentResponse) -> Stopped | None:
    """Return what stops schedules that prefect.yaml has active."""
    slugs = [schedule.slug for schedule in wanted.schedules if schedule.active]
    if not slugs:
        return None
    if found.paused:
        fix = (
            f"`prefect api POST /deployments/{found.id}/resume_deployment`, or resume it in the UI"
        )
        return Stopped("paused", fix)
    paused = {each.slug: each.id for each in found.schedules if not each.active}
    stopped = [slug for slug in slugs if slug in paused]
    if not stopped:
        return None
    what = f"its schedule {', '.join(stopped)} is paused"
    name, schedule = shlex.quote(wanted.full_name), paused[stopped[0]]
    return Stopped(what, f"`prefect deployment schedule resume {name} {schedule}`")


def stopped_deployments(
    deployments: Iterable[Deployment], found: Iterable[DeploymentResponse]
) -> Iterator[Stopped]:
    """Yield what stops deployments of prefect.yaml that the server has, with their names."""
    existing = {(each.entrypoint, each.name): each for each in found}
    for wanted in deployments:
        response = existing.get((wanted.entrypoint, wanted.name))
        if response and (stopped := stopped_deployment(wanted, response)):
            yield Stopped(f"{wanted.full_name}: {stopped.message}", stopped.fix)


def missing_pool(name: str, existing: Iterable[str]) -> Stopped:
    """Return what to say of a pool that the server does not have, with those that it has."""
    names = sorted(map(one_line, existing))
    others = first_of(names, MAX_NAMES) or "none"
    message = f"work pool {one_line(name)} does not exist; the server has {others}"
    if name in {pool.name for pool in pools()}:
        return Stopped(message, f"{DEPLOY} creates it")
    create = f"`prefect work-pool create --type process {shlex.quote(name)}`"
    return Stopped(message, f"correct the name, or create it: {create}")
