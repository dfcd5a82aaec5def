"""Update pools, blocks, deployments and automations of a Prefect API to match prefect.yaml.

Reads prefect.yaml through its strict model and imports every flow before it changes anything.
Writes only what differs, so a second run changes nothing. Removes deployments of our flows that are no longer
in the file. Paused deployments and schedules stay paused.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import (
    DeploymentUpdate,
    WorkPoolCreate,
    WorkPoolUpdate,
)
from prefect.client.schemas.objects import WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectAlreadyExists

from analytics_worker.database.connections import MissingDatabaseError, warehouse_url
from analytics_worker.deployment.automations import sync_automations
from analytics_worker.deployment.event_triggers import remove_orphans, sync_triggers
from analytics_worker.deployment.fields import (
    PULL_STEP,
    changed_fields,
    comparable,
    fields_of,
    stored_fields,
)
from analytics_worker.deployment.pool_types import (
    IMAGE,
    IMAGE_FOLDER,
    PROCESS,
    TEMPLATES,
    check_pools,
    check_type,
    with_defaults,
)
from analytics_worker.prefect_support.claim_limits import claim_limit, name_of
from analytics_worker.prefect_support.deployments import DeployedFlow, Pool, deployed_flows, pools
from analytics_worker.prefect_support.pagination import pages as pages_of
from blocks import notifications, warehouse

ENTRYPOINT_PREFIX = "flows."  # of the deployments of this project


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
    pool_type: str | None = None
    """The type of all pools; None: existing pools keep theirs, and new ones are for processes."""
    image: str | None = None
    """The image of pools of containers; None: existing pools keep theirs."""


def desired_state(pool_type: str | None = None, image: str | None = None) -> DesiredState:
    """Return the state that prefect.yaml and its flows define.

    Raises:
        PrefectYamlError: the file is not valid.
        PoolTypeError: the pools can't have that type.
    """
    check_type(pool_type, image)
    deployments = {str(each): (each, fields_of(each)) for each in deployed_flows()}
    return DesiredState(pools(), deployments, pool_type, image)


def deploy(state: DesiredState, client: SyncPrefectClient) -> list[DeploymentChange]:
    """Apply the desired state and return the changes.

    Raises:
        PoolTypeError: a pool exists with another type; nothing was changed.
    """
    existing = {pool.name: pool for pool in pages_of(client.read_work_pools)}
    ours = [existing[pool.name] for pool in state.pools if pool.name in existing]
    check_pools(state.pool_type, ours)
    types = {pool.name: pool.type for pool in ours}
    return [
        *_pools(state, existing, client),
        *_blocks(client),
        *_deployments(_in_folders(state, types), client),
        *_automations(state, client),
    ]


def _in_folders(state: DesiredState, types: Mapping[str, str]) -> DesiredState:
    """Let deployments of pools of containers name the folder of the image."""
    new = state.pool_type or PROCESS
    deployments = {
        name: (flow, fields | {"pull_steps": [{PULL_STEP: {"directory": IMAGE_FOLDER}}]})
        if types.get(fields["work_pool_name"], new) != PROCESS
        else (flow, fields)
        for name, (flow, fields) in state.deployments.items()
    }
    return replace(state, deployments=deployments)


def _pools(
    state: DesiredState, existing: Mapping[str, WorkPool], client: SyncPrefectClient
) -> Iterator[DeploymentChange]:
    """Create or update the pools, with the limits that their workers would create otherwise."""
    limits = {limit.name for limit in pages_of(client.read_global_concurrency_limits)}
    for pool in state.pools:
        yield _pool(state, pool, existing.get(pool.name), client)
        if name_of(pool.name) not in limits:
            with suppress(ObjectAlreadyExists):  # by a worker, just now
                client.create_global_concurrency_limit(claim_limit(pool.name))


def _pool(
    state: DesiredState, pool: Pool, existing: WorkPool | None, client: SyncPrefectClient
) -> DeploymentChange:
    if existing is None:
        pool_type = state.pool_type or pool.type
        template = TEMPLATES[pool_type](state.image or IMAGE)
        values = pool.model_dump() | {"type": pool_type}
        client.create_work_pool(WorkPoolCreate(**values, base_job_template=template))
        return DeploymentChange("pool", pool.name, "created")
    # A pool that an operator created with another type (docker, kubernetes) keeps it.
    values: dict[str, Any] = pool.model_dump(include={"concurrency_limit", "description"})
    if state.image:  # of the template of an operator, only this is changed
        template = copy.deepcopy(existing.base_job_template)
        values["base_job_template"] = with_defaults(template, {"image": state.image})
    changed = changed_fields(values, {key: getattr(existing, key) for key in values})
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
    names = {
        trigger.name
        for each, _ in state.deployments.values()
        for trigger in each.deployment.triggers
    }
    for orphan in remove_orphans(names, client):
        yield DeploymentChange("automation", orphan.name, "removed")


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
    changed = changed_fields(comparable(fields), comparable(stored_fields(existing)))
    if changed:
        schedules = [schedule.model_dump(exclude_unset=True) for schedule in fields["schedules"]]
        update = DeploymentUpdate.model_validate(fields | {"schedules": schedules})
        client.update_deployment(existing.id, update)
    if sync_triggers(existing.id, deployed_flow.deployment.name, triggers, client):
        changed = (*changed, "triggers")
    return DeploymentChange("deployment", name, "updated" if changed else "unchanged", changed)
