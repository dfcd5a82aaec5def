"""Register automations of the Prefect server, which work without a worker: crash runs, watch monitoring.

Writes two automations and, for the second one, a block. Safe to repeat: equal ones stay unchanged. They name
our deployments by id, so that runs of other projects on the same server are not affected.
"""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Literal, NamedTuple
from uuid import UUID

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import PrefectHTTPStatusError
from pydantic import SecretStr

from analytics_worker.deployment.equal_automations import comparable
from analytics_worker.prefect_support.heartbeat_timeout import (
    CRASH_MESSAGE,
    HEARTBEAT_AUTOMATION,
    HEARTBEAT_EVENT,
    HEARTBEAT_TIMEOUT,
    MONITORING_AUTOMATION,
    MONITORING_TIMEOUT,
    START_EVENTS,
)
from analytics_worker.settings import settings
from blocks.warehouse import is_protected

Action = Literal["created", "updated", "unchanged"]

IGNORED = frozenset({"owner_resource", "enabled"})
"""Fields by which automations are not compared; a paused one stays paused."""
WEBHOOK_BLOCK = "analytics-worker-monitoring"
MONITORING_DEPLOYMENT = "collect-worker-metrics/monitoring"
SUCCESS_EVENT = "prefect.flow-run.Completed"
MONITORING_FAILED_BODY = (
    '{"event": "monitoring_failed", "deployment": "' + MONITORING_DEPLOYMENT + '", "message": "'
    f"It has not succeeded for {MONITORING_TIMEOUT.seconds // 60} minutes: its runs fail or no worker is online."
    ' Notifications of failing deployments are suspended until it succeeds."}'
)


class AutomationChange(NamedTuple):
    """The change of one automation."""

    name: str
    action: Action


def sync_automations(
    deployments: Mapping[str, UUID], client: SyncPrefectClient
) -> Iterator[AutomationChange]:
    """Update both automations to match the deployments."""
    yield _sync(_crash_runs_without_heartbeats(deployments.values()), client)
    url = settings().alert_webhook_url
    if url is not None and is_protected() and MONITORING_DEPLOYMENT in deployments:
        yield _sync(
            monitoring_failed(deployments[MONITORING_DEPLOYMENT], _save_webhook_block(url)), client
        )


def _crash_runs_without_heartbeats(deployments: Iterable[UUID]) -> AutomationCore:
    """Return the automation that crashes a run without any event after its start or a heartbeat."""
    return AutomationCore(
        name=HEARTBEAT_AUTOMATION,
        description="Without it, a run whose process and worker have ended would hold a slot of its pool.",
        trigger=EventTrigger(
            after={HEARTBEAT_EVENT, *START_EVENTS},
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


def monitoring_failed(deployment: UUID, block: UUID) -> AutomationCore:
    """Return the automation that notifies, once, if the monitoring flow itself stops succeeding."""
    return AutomationCore(
        name=MONITORING_AUTOMATION,
        description=f"{MONITORING_DEPLOYMENT} notifies of failing deployments; the server notifies if it fails itself.",
        trigger=EventTrigger(
            after={SUCCESS_EVENT},
            expect={SUCCESS_EVENT},
            for_each={
                "related:deployment:prefect.resource.id"
            },  # without it, each period would notify again
            match_related={"prefect.resource.id": [_resource(deployment)]},
            posture=Posture.Proactive,
            threshold=1,
            within=MONITORING_TIMEOUT,
        ),
        actions=[CallWebhook(block_document_id=block, payload=MONITORING_FAILED_BODY)],
    )


def _save_webhook_block(url: SecretStr) -> UUID:
    """Save the block with the address; only on a server that requires a login."""
    headers = {"Content-Type": "application/json"}
    block = Webhook.model_validate({"url": url.get_secret_value(), "headers": headers})
    return block.save(WEBHOOK_BLOCK, overwrite=True, _sync=True)  # pyright: ignore[reportCallIssue]


def _sync(automation: AutomationCore, client: SyncPrefectClient) -> AutomationChange:
    stored = client.read_automations_by_name(automation.name)
    if [comparable(each, IGNORED) for each in stored] == [comparable(automation, IGNORED)]:
        return AutomationChange(automation.name, "unchanged")
    for each in stored:
        _delete(each.id, client)
    client.create_automation(automation)
    _keep_oldest(automation.name, client)
    return AutomationChange(automation.name, "updated" if stored else "created")


def _keep_oldest(name: str, client: SyncPrefectClient) -> None:
    """Delete what others have created meanwhile: hosts deploy at the same time, and each automation would act."""
    for each in client.read_automations_by_name(name)[:-1]:  # the newest first
        _delete(each.id, client)


def _delete(automation: UUID, client: SyncPrefectClient) -> None:
    try:
        client.delete_automation(automation)
    except PrefectHTTPStatusError as error:
        if error.response.status_code != HTTPStatus.NOT_FOUND:  # another deploy was faster
            raise


def _resource(deployment: UUID) -> str:
    return f"prefect.deployment.{deployment}"
