"""Update pools, blocks, deployments and automations of a Prefect API to match prefect.yaml.

Reads prefect.yaml through its strict model and imports every flow before it changes anything.
Writes only what differs, so a second run changes nothing. Removes deployments of our flows that are no longer
in the file. Paused deployments and schedules stay paused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from analytics_worker.sample_project import without_sample_selection
from analytics_worker.settings import project_root
from analytics_worker.source_version import source_version
from blocks import notifications, warehouse

ENTRYPOINT_PREFIX = "flows."  # of the deployments of this project
PULL_STEP = "prefect.deployments.steps.set_working_directory"


@dataclass(frozen=True)
class DeploymentChange:
    """The change of one object on the server."""

    kind: Literal["pool", "block", "deployment", "automation"]
    name: str
    action: Literal["created", "updated", "unchanged", "removed"]
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.action} {', '.join(self.fields)}".strip()


@dataclass(frozen=True)
class DesiredState:
    """The desired pools and deployments, with the fields of each deployment."""

    pools: Sequence[Pool]
    deployments: Mapping[str, tuple[DeployedFlow, dict[str, Any]]]


def desired_state() -> DesiredState:
    """Return the state that prefect.yaml and its flows define.

    Raises:
        PrefectYamlError: the file is not valid.
    """
    deployments = {str(each): (each, _fields(each)) for each in deployed_flows()}
    return DesiredState(pools(), deployments)


def deploy(state: DesiredState, client: SyncPrefectClient) -> list[DeploymentChange]:
    """Apply the desired state and return the changes."""
    return [
        *_pools(state, client),
        *_blocks(client),
        *_deployments(state, client),
        *_automations(state, client),
    ]


def _pools(state: DesiredState, client: SyncPrefectClient) -> Iterator[DeploymentChange]:
    existing = {pool.name: pool for pool in pages_of(client.read_work_pools)}
    for pool in state.pools:
        yield _pool(pool, existing.get(pool.name), client)


def _pool(pool: Pool, existing: WorkPool | None, client: SyncPrefectClient) -> DeploymentChange:
    if existing is None:
        template = ProcessWorker.get_default_base_job_template()
        values = pool.model_dump()
        client.create_work_pool(WorkPoolCreate(**values, base_job_template=template))
        return DeploymentChange("pool", pool.name, "created")
    # A pool that an operator created with another type (docker, kubernetes) keeps it.
    values = pool.model_dump(include={"concurrency_limit", "description"})
    changed = _changed_fields(values, {key: getattr(existing, key) for key in values})
    if changed:
        client.update_work_pool(pool.name, WorkPoolUpdate(**values))
    return DeploymentChange("pool", pool.name, "updated" if changed else "unchanged", changed)


def _blocks(client: SyncPrefectClient) -> Iterator[DeploymentChange]:
    for kind in notifications.CHANNEL_BLOCKS:
        slug = kind.get_block_type_slug()
        yield DeploymentChange("block", slug, notifications.register_type(kind, client))
    try:
        url = warehouse_url()
    except MissingDatabaseError:
        return  # only the hosts of workers need the database
    action = warehouse.register(url, client)
    note = () if warehouse.is_protected() else ("(no password: this API requires no login)",)
    yield DeploymentChange("block", warehouse.NAME, action, () if action == "unchanged" else note)


def _deployments(state: DesiredState, client: SyncPrefectClient) -> Iterator[DeploymentChange]:
    flows = {flow.id: flow.name for flow in pages_of(client.read_flows)}
    existing = {
        f"{flows[deployment.flow_id]}/{deployment.name}": deployment
        for deployment in pages_of(client.read_deployments)
    }
    for name, (deployed_flow, fields) in state.deployments.items():
        yield _deployment(name, deployed_flow, fields, existing.get(name), client)
    our_pools = {pool.name for pool in state.pools}
    for name in sorted(existing.keys() - state.deployments.keys()):
        old = existing[name]
        if (old.entrypoint or "").startswith(ENTRYPOINT_PREFIX) and old.work_pool_name in our_pools:
            client.delete_deployment(old.id)
            yield DeploymentChange("deployment", name, "removed")


def _automations(state: DesiredState, client: SyncPrefectClient) -> Iterator[DeploymentChange]:
    deployment_ids = {name: client.read_deployment_by_name(name).id for name in state.deployments}
    for name, action in sync_automations(deployment_ids, client):
        yield DeploymentChange("automation", name, action)


def _deployment(
    name: str,
    deployed_flow: DeployedFlow,
    fields: dict[str, Any],
    existing: DeploymentResponse | None,
    client: SyncPrefectClient,
) -> DeploymentChange:
    triggers = [trigger.model_dump() for trigger in deployed_flow.deployment.triggers]
    if existing is None:
        flow_id = client.create_flow_from_name(deployed_flow.deployment.flow_name)
        deployment_id = client.create_deployment(
            flow_id, name=deployed_flow.deployment.name, **fields
        )
        sync_triggers(deployment_id, deployed_flow.deployment.name, triggers, client)
        return DeploymentChange("deployment", name, "created")
    changed = _changed_fields(_comparable(fields), _comparable(_stored_fields(existing)))
    if changed:
        schedules = [schedule.model_dump(exclude_unset=True) for schedule in fields["schedules"]]
        update = DeploymentUpdate.model_validate(fields | {"schedules": schedules})
        client.update_deployment(existing.id, update)
    if sync_triggers(existing.id, deployed_flow.deployment.name, triggers, client):
        changed = (*changed, "triggers")
    return DeploymentChange("deployment", name, "updated" if changed else "unchanged", changed)


def _fields(deployed_flow: DeployedFlow) -> dict[str, Any]:
    """Return the fields that `prefect deploy` would send for this deployment."""
    deployment = deployed_flow.deployment
    limit = deployment.concurrency_limit
    return {
        "entrypoint": deployment.entrypoint,
        "version": source_version(),
        "description": deployment.description,
        "work_pool_name": deployment.work_pool.name,
        "concurrency_limit": limit and limit.limit,
        "concurrency_options": limit and {"collision_strategy": limit.collision_strategy},
        "parameters": deployment.parameters,
        "tags": deployment.tags,
        "job_variables": deployment.work_pool.job_variables,
        "pull_steps": [{PULL_STEP: {"directory": str(project_root())}}],
        "parameter_openapi_schema": parameter_schema(deployed_flow.flow).model_dump(
            exclude_unset=True
        ),
        "enforce_parameter_schema": True,
        "schedules": [
            DeploymentScheduleCreate.model_validate(
                {
                    "schedule": {"cron": schedule.cron, "timezone": schedule.timezone},
                    "slug": schedule.slug,
                    "parameters": without_sample_selection(schedule.parameters),
                }
                | ({} if schedule.active else {"active": False})
            )
            for schedule in deployment.schedules
        ],
    }


def _stored_fields(deployment: DeploymentResponse) -> dict[str, Any]:
    limit, options = deployment.global_concurrency_limit, deployment.concurrency_options
    names = (
        "entrypoint",
        "version",
        "description",
        "work_pool_name",
        "parameters",
        "tags",
        "job_variables",
    )
    names += ("pull_steps", "parameter_openapi_schema", "enforce_parameter_schema", "schedules")
    return {name: getattr(deployment, name) for name in names} | {
        "concurrency_limit": limit and limit.limit,
        "concurrency_options": options and {"collision_strategy": options.collision_strategy.value},
    }


def _comparable(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in a form in which order and representation do not matter."""
    schedules = [
        schedule.model_dump(mode="json", include={"schedule", "slug", "parameters"})
        for schedule in fields["schedules"]
    ]
    return {
        **fields,
        "tags": sorted(fields["tags"]),
        "schedules": sorted(schedules, key=lambda schedule: str(schedule["slug"])),
    }


def _changed_fields(desired: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in desired if desired[name] != stored[name])
