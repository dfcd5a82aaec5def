"""Event triggers of a deployment: stored by Prefect as automations that the deployment owns.

Writes automations. Safe to repeat: equal ones are left alone, others are replaced together, which
is how `prefect deploy` treats them, too.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.events import DeploymentTriggerTypes
from prefect.events.schemas.automations import AutomationCore
from pydantic import TypeAdapter

_SPECIFICATION: TypeAdapter[DeploymentTriggerTypes] = TypeAdapter(DeploymentTriggerTypes)


def sync_triggers(
    deployment_id: UUID,
    deployment_name: str,
    specifications: Sequence[Mapping[str, Any]],
    client: SyncPrefectClient,
) -> bool:
    """Bring the automations of a deployment in step; whether anything changed."""
    resource = f"prefect.deployment.{deployment_id}"
    prefix = f"{deployment_name}__automation_"
    wanted = [
        _automation(deployment_id, f"{prefix}{number}", specification)
        for number, specification in enumerate(specifications, start=1)
    ]
    # The API does not say whose an automation is; others that concern the deployment may be people's.
    names = {automation.name for automation in wanted}
    stored = [
        automation
        for automation in client.read_resource_related_automations(resource)
        if automation.name in names or automation.name.startswith(prefix)
    ]
    if sorted(map(_text, wanted)) == sorted(map(_text, stored)):
        return False
    client.delete_resource_owned_automations(resource)
    for automation in wanted:
        client.create_automation(automation)
    return True


def _automation(deployment_id: UUID, name: str, specification: Mapping[str, Any]) -> AutomationCore:
    trigger = _SPECIFICATION.validate_python({"name": name} | dict(specification))
    trigger.set_deployment_id(deployment_id)
    return trigger.as_automation()


def _text(automation: AutomationCore) -> str:
    """What two automations are compared by."""
    fields = set(AutomationCore.model_fields) - {"owner_resource"}
    return automation.model_dump_json(include=fields, exclude={"trigger": {"id"}})
