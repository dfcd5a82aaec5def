"""Automations of the whole project on the Prefect server: what must work while no worker does.

Writes two automations and, for the second, a block. Safe to repeat: equal ones are left alone. They
name our deployments by id, so that runs of other projects on the same server are not touched.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple
from uuid import UUID

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from pydantic import SecretStr

from analytics_worker.prefect_support.heartbeat_settings import (
    CRASH_MESSAGE,
    HEARTBEAT_AUTOMATION,
    HEARTBEAT_EVENT,
    HEARTBEAT_TIMEOUT,
    MONITORING_AUTOMATION,
    MONITORING_TIMEOUT,
)
from analytics_worker.settings import settings
from blocks.warehouse import is_protected

Action = Literal["created", "updated", "unchanged"]

WEBHOOK_BLOCK = "analytics-worker-monitoring"
MONITOR = "collect-worker-metrics/monitoring"
SUCCESS = "prefect.flow-run.Completed"
MESSAGE = (
    '{"event": "monitoring_failed", "deployment": "' + MONITOR + '", "message": "'
    f"It has not succeeded for {MONITORING_TIMEOUT.seconds // 60} minutes: its runs fail, or no worker is there."
    ' Failures of deployments are not told until it does."}'
)


class Synced(NamedTuple):
    """What happened to one automation."""

    name: str
    action: Action


def sync_automations(
    deployments: Mapping[str, UUID], client: SyncPrefectClient
) -> Iterator[Synced]:
    """Bring both in step with the deployments that there are."""
    yield _sync(_silent_runs(deployments.values()), client)
    url = settings().alert_webhook_url
    if url is not None and is_protected() and MONITOR in deployments:
        yield _sync(monitoring_silent(deployments[MONITOR], _webhook(url)), client)


def _silent_runs(deployments: Iterable[UUID]) -> AutomationCore:
    """Whatever happens to a run after a heartbeat shows that it lives, or that it ended."""
    return AutomationCore(
        name=HEARTBEAT_AUTOMATION,
        description="A run whose process died with its worker would hold its pool's slot forever.",
        trigger=EventTrigger(
            after={HEARTBEAT_EVENT},
            expect={"prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            match_related={"prefect.resource.id": sorted(map(_resource, deployments))},
            posture=Posture.Proactive,
            threshold=1,
            within=HEARTBEAT_TIMEOUT,
        ),
        actions=[
            ChangeFlowRunState(
                name=None, state=StateType.CRASHED, message=CRASH_MESSAGE, force=False
            )
        ],
    )


def monitoring_silent(deployment: UUID, block: UUID) -> AutomationCore:
    """The flow that tells of failures can't tell of its own; the server does, once until it works again."""
    return AutomationCore(
        name=MONITORING_AUTOMATION,
        description=f"{MONITOR} tells of failing deployments; the server tells of its own silence.",
        trigger=EventTrigger(
            after={SUCCESS},
            expect={SUCCESS},
            for_each={
                "related:deployment:prefect.resource.id"
            },  # without, it would tell again and again
            match_related={"prefect.resource.id": [_resource(deployment)]},
            posture=Posture.Proactive,
            threshold=1,
            within=MONITORING_TIMEOUT,
        ),
        actions=[CallWebhook(block_document_id=block, payload=MESSAGE)],
    )


def _webhook(url: SecretStr) -> UUID:
    """The block with the address: only on a server that asks who wants to read it."""
    headers = {"Content-Type": "application/json"}
    block = Webhook.model_validate({"url": url.get_secret_value(), "headers": headers})
    return block.save(WEBHOOK_BLOCK, overwrite=True, _sync=True)  # pyright: ignore[reportCallIssue]


def _sync(wanted: AutomationCore, client: SyncPrefectClient) -> Synced:
    stored = client.read_automations_by_name(wanted.name)
    if [_text(automation) for automation in stored] == [_text(wanted)]:
        return Synced(wanted.name, "unchanged")
    for automation in stored:
        client.delete_automation(automation.id)
    client.create_automation(wanted)
    return Synced(wanted.name, "updated" if stored else "created")


def _text(automation: AutomationCore) -> str:
    """What two automations are compared by; whether one is paused is the operator's business."""
    fields = set(AutomationCore.model_fields) - {"owner_resource", "enabled"}
    return automation.model_dump_json(include=fields, exclude={"trigger": {"id"}})


def _resource(deployment: UUID) -> str:
    return f"prefect.deployment.{deployment}"
