"""Bring pools, blocks, deployments and automations of a Prefect API in step with prefect.yaml.

Reads prefect.yaml through its strict model and imports every flow before it changes anything.
Writes only what differs, so repeating it says "unchanged"; removes deployments of our flows that
left the file. Whether a deployment or schedule is paused is the operator's business and stays.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentUpdate,
    WorkPoolCreate,
    WorkPoolUpdate,
)
from prefect.client.schemas.objects import WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from analytics_worker.database.connections import MissingDatabaseError, warehouse_url
from analytics_worker.deployment.automations import sync_automations
from analytics_worker.deployment.event_triggers import sync_triggers
from analytics_worker.prefect_support.deployments import DeployedFlow, Pool, deployed_flows, pools
from analytics_worker.prefect_support.pagination import pages as pages_of
from analytics_worker.settings import project_root
from blocks import notifications, warehouse

OURS = "flows."  # what the entrypoints of our deployments begin with
PULL = "prefect.deployments.steps.set_working_directory"


@dataclass(frozen=True)
class Change:
    """What happened to one thing on the server."""

    kind: Literal["pool", "block", "deployment", "automation"]
    name: str
    action: Literal["created", "updated", "unchanged", "removed"]
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.action} {', '.join(self.fields)}".strip()


@dataclass(frozen=True)
class Desired:
    """What the server should have: one set of fields for each deployment."""

    pools: Sequence[Pool]
    deployments: Mapping[str, tuple[DeployedFlow, dict[str, Any]]]


def desired() -> Desired:
    """Read prefect.yaml and the flows it names.

    Raises:
        PrefectYamlError: the file is refused.
    """
    rows = {entry.deployment.full_name: (entry, _fields(entry)) for entry in deployed_flows()}
    return Desired(pools(), rows)


def deploy(wanted: Desired, client: SyncPrefectClient) -> list[Change]:
    """Make the changes and say what they were."""
    return [
        *_pools(wanted, client),
        *_blocks(client),
        *_deployments(wanted, client),
        *_automations(wanted, client),
    ]


def _pools(wanted: Desired, client: SyncPrefectClient) -> Iterator[Change]:
    existing = {pool.name: pool for pool in pages_of(client.read_work_pools)}
    for pool in wanted.pools:
        yield _pool(pool, existing.get(pool.name), client)


def _pool(pool: Pool, existing: WorkPool | None, client: SyncPrefectClient) -> Change:
    if existing is None:
        template = ProcessWorker.get_default_base_job_template()
        values = pool.model_dump()
        client.create_work_pool(WorkPoolCreate(**values, base_job_template=template))
        return Change("pool", pool.name, "created")
    # A pool that an operator made of another type (docker, kubernetes) keeps it.
    values = pool.model_dump(include={"concurrency_limit", "description"})
    different = _different(values, {key: getattr(existing, key) for key in values})
    if different:
        client.update_work_pool(pool.name, WorkPoolUpdate(**values))
    return Change("pool", pool.name, "updated" if different else "unchanged", different)


def _blocks(client: SyncPrefectClient) -> Iterator[Change]:
    for kind in notifications.BLOCKS:
        slug = kind.get_block_type_slug()
        yield Change("block", slug, notifications.register_type(kind, client))
    try:
        url = warehouse_url()
    except MissingDatabaseError:
        return  # the workers' hosts know the database, this one does not have to
    action = warehouse.register(url, client)
    without = () if warehouse.is_protected() else ("(no password: this API asks for none)",)
    yield Change("block", warehouse.NAME, action, () if action == "unchanged" else without)


def _deployments(wanted: Desired, client: SyncPrefectClient) -> Iterator[Change]:
    flows = {flow.id: flow.name for flow in pages_of(client.read_flows)}
    existing = {
        f"{flows[deployment.flow_id]}/{deployment.name}": deployment
        for deployment in pages_of(client.read_deployments)
    }
    for name, (entry, fields) in wanted.deployments.items():
        yield _deployment(name, entry, fields, existing.get(name), client)
    ours = {pool.name for pool in wanted.pools}
    for name in sorted(existing.keys() - wanted.deployments.keys()):
        old = existing[name]
        if (old.entrypoint or "").startswith(OURS) and old.work_pool_name in ours:
            client.delete_deployment(old.id)
            yield Change("deployment", name, "removed")


def _automations(wanted: Desired, client: SyncPrefectClient) -> Iterator[Change]:
    deployed = {name: client.read_deployment_by_name(name).id for name in wanted.deployments}
    for name, action in sync_automations(deployed, client):
        yield Change("automation", name, action)


def _deployment(
    name: str,
    entry: DeployedFlow,
    fields: dict[str, Any],
    existing: DeploymentResponse | None,
    client: SyncPrefectClient,
) -> Change:
    triggers = [trigger.model_dump() for trigger in entry.deployment.triggers]
    if existing is None:
        flow_id = client.create_flow_from_name(entry.deployment.flow_name)
        made = client.create_deployment(flow_id, name=entry.deployment.name, **fields)
        sync_triggers(made, entry.deployment.name, triggers, client)
        return Change("deployment", name, "created")
    different = _different(_comparable(fields), _comparable(_stored(existing)))
    if different:
        schedules = [schedule.model_dump(exclude_unset=True) for schedule in fields["schedules"]]
        changed = DeploymentUpdate.model_validate(fields | {"schedules": schedules})
        client.update_deployment(existing.id, changed)
    if sync_triggers(existing.id, entry.deployment.name, triggers, client):
        different = (*different, "triggers")
    return Change("deployment", name, "updated" if different else "unchanged", different)


def _fields(entry: DeployedFlow) -> dict[str, Any]:
    """What `prefect deploy` would send for this stanza."""
    stanza = entry.deployment
    limit = stanza.concurrency_limit
    return {
        "entrypoint": stanza.entrypoint,
        "version": version("analytics-worker"),
        "description": stanza.description,
        "work_pool_name": stanza.work_pool.name,
        "concurrency_limit": limit and limit.limit,
        "concurrency_options": limit and {"collision_strategy": limit.collision_strategy},
        "parameters": stanza.parameters,
        "tags": stanza.tags,
        "job_variables": stanza.work_pool.job_variables,
        "pull_steps": [{PULL: {"directory": str(project_root())}}],
        "parameter_openapi_schema": parameter_schema(entry.flow).model_dump(exclude_unset=True),
        "enforce_parameter_schema": True,
        "schedules": [
            DeploymentScheduleCreate.model_validate(
                {
                    "schedule": {"cron": schedule.cron, "timezone": schedule.timezone},
                    "slug": schedule.slug,
                    "parameters": schedule.parameters,
                }
                | ({} if schedule.active else {"active": False})
            )
            for schedule in stanza.schedules
        ],
    }


def _stored(deployment: DeploymentResponse) -> dict[str, Any]:
    limit, options = deployment.global_concurrency_limit, deployment.concurrency_options
    same = (
        "entrypoint",
        "version",
        "description",
        "work_pool_name",
        "parameters",
        "tags",
        "job_variables",
    )
    same += ("pull_steps", "parameter_openapi_schema", "enforce_parameter_schema", "schedules")
    return {name: getattr(deployment, name) for name in same} | {
        "concurrency_limit": limit and limit.limit,
        "concurrency_options": options and {"collision_strategy": options.collision_strategy.value},
    }


def _comparable(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields in which order and representation do not matter."""
    schedules = [
        schedule.model_dump(mode="json", include={"schedule", "slug", "parameters"})
        for schedule in fields["schedules"]
    ]
    return {
        **fields,
        "tags": sorted(fields["tags"]),
        "schedules": sorted(schedules, key=lambda schedule: str(schedule["slug"])),
    }


def _different(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in wanted if wanted[name] != stored[name])
