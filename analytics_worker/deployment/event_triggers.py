"""Update the event triggers of a deployment, which Prefect stores as automations of the deployment.

Writes automations. Safe to repeat: equal ones stay unchanged, others are replaced together, as
`prefect deploy` does.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeGuard
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import DeploymentFilter
from prefect.events import DeploymentTriggerTypes
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import Automation, AutomationCore
from pydantic import TypeAdapter

from analytics_worker.deployment.equal_automations import comparable

_SPECIFICATION_TYPE: TypeAdapter[DeploymentTriggerTypes] = TypeAdapter(DeploymentTriggerTypes)
OWN_PREFIX = "analytics-worker: "
"""Of the names of automations of this project."""


def sync_triggers(
    deployment_id: UUID,
    deployment_name: str,
    specifications: Sequence[Mapping[str, Any]],
    client: SyncPrefectClient,
) -> bool:
    """Update the automations of a deployment; return whether anything changed."""
    resource = f"prefect.deployment.{deployment_id}"
    automations = [_automation(deployment_id, specification) for specification in specifications]
    # The API does not return the owner; related automations may have been created by users.
    names = {automation.name for automation in automations}
    prefixes = (OWN_PREFIX, f"{deployment_name}__automation_")  # the latter before they had names
    stored = [
        automation
        for automation in client.read_resource_related_automations(resource)
        if automation.name in names or automation.name.startswith(prefixes)
    ]
    if _comparable(automations) == _comparable(stored):
        return False
    client.delete_resource_owned_automations(resource)
    for automation in automations:
        client.create_automation(automation)
    return True


def remove_orphans(
    trigger_names: Collection[str], client: SyncPrefectClient
) -> Iterator[Automation]:
    """Delete the triggers with these names of deployments that were deleted; yield each.

    The server keeps them, and they start nothing.
    """
    for name in sorted(trigger_names):
        for automation in client.read_automations_by_name(name):
            started = [each.deployment_id for each in automation.actions if _starts(each)]
            if started and not _exist(started, client):
                client.delete_automation(automation.id)
                yield automation


def _starts(action: Any) -> TypeGuard[RunDeployment]:
    return isinstance(action, RunDeployment) and action.deployment_id is not None


def _exist(ids: Sequence[UUID | None], client: SyncPrefectClient) -> bool:
    """Whether one of the deployments exists."""
    chosen = DeploymentFilter.model_validate({"id": {"any_": list(ids)}})
    return bool(client.read_deployments(deployment_filter=chosen, limit=1))


def _comparable(automations: Sequence[AutomationCore]) -> list[str]:
    return sorted(comparable(each, frozenset({"owner_resource"})) for each in automations)


def _automation(deployment_id: UUID, specification: Mapping[str, Any]) -> AutomationCore:
    trigger = _SPECIFICATION_TYPE.validate_python(dict(specification))
    trigger.set_deployment_id(deployment_id)
    return trigger.as_automation()
