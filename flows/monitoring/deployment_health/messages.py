"""Build the messages about deployments that started to fail or recovered.

Reads nothing, writes nothing. The id of a message is derived from the deployment and the start of its
failures, so that each change is enqueued once, and only recipients of "failing" get "recovered".
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

from analytics_worker.delivery import Message, Recipient
from analytics_worker.text import one_line
from flows.monitoring.deployment_health.state_machine import DeploymentHealth, HealthChange
from flows.monitoring.notifications.text import Kind, deployment_content

NAMESPACE = UUID("b0b6a3a5-3b1e-4b8c-9e0c-7c8a6f1d2e94")

MAX_NAMES = 3
"""Number of deployments or nodes that a one-line text names."""

NotifiedSince = dict[str, datetime | None]


def change_messages(
    changes: Sequence[HealthChange],
    notified: Mapping[str, datetime | None],
    recipients: Sequence[Recipient],
) -> tuple[list[Message], NotifiedSince]:
    """Return a message for each change, if there are recipients.

    Args:
        changes: In the order in which they happened.
        notified: By deployment: start of the last failures that recipients were notified of.
        recipients: Recipients of the messages.

    Returns:
        The messages, and ``notified`` after them.
    """
    messages: list[Message] = []
    after = dict(notified)
    for change in changes if recipients else ():
        deployment = change.end.deployment
        if change.kind == "failing":
            after[deployment] = change.since
        elif after.get(deployment) != change.since:
            continue  # recipients were not notified of the failure
        messages.append(_change_message(change, recipients))
    return messages, after


def _change_message(change: HealthChange, recipients: Sequence[Recipient]) -> Message:
    end = change.end
    details = {
        "state": end.name,
        "message": _with_nodes(end.message, change.nodes),
        "run_id": str(end.run_id),
        "ended_at": end.ended_at.isoformat(),
        "since": change.since.isoformat(),
        "failures": change.failures,
    }
    message = _message(end.deployment, change.kind, change.since, details, recipients)
    if not change.nodes:
        return message
    return message._replace(id=uuid5(NAMESPACE, f"nodes {end.run_id} {end.deployment}"))


def _with_nodes(message: str, nodes: Sequence[str]) -> str:
    """Return the message, preceded by the nodes that did not fail before."""
    return f"now failing, too: {_names(nodes)}. {message}" if nodes else message


def failing_message(health: DeploymentHealth, recipients: Sequence[Recipient]) -> Message:
    """Return the message about a deployment that has failed since before there were recipients."""
    details = {
        "state": health.last_state,
        "message": health.last_message,
        "run_id": str(health.last_run_id),
        "ended_at": health.last_ended_at.isoformat(),
        "since": health.since.isoformat(),
        "failures": health.failures,
    }
    return _message(health.deployment, "failing", health.since, details, recipients)


def _message(
    deployment: str,
    kind: Kind,
    since: datetime,
    details: Mapping[str, str | int],
    recipients: Sequence[Recipient],
) -> Message:
    return Message(
        domain="monitoring",
        kind=f"deployment_{kind}",
        content=deployment_content(deployment, kind, details),
        recipients=recipients,
        topic=deployment,
        follows=message_id(deployment, "failing", since) if kind == "recovered" else None,
        reference=deployment,
        id=message_id(deployment, kind, since),
    )


def no_recipient_text(deployments: Sequence[str]) -> str:
    """Return that no recipients were notified of these failing deployments, and why."""
    return (
        f"no recipients were notified that {_names(deployments)} failed: no channel is configured"
    )


def _names(names: Sequence[str]) -> str:
    """Return the first names as one line, and the number of the others."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return one_line(", ".join(names[:MAX_NAMES])) + more


def message_id(deployment: str, kind: Kind, since: datetime) -> UUID:
    """Return the id of the message that a deployment started to fail or recovered."""
    return uuid5(NAMESPACE, f"{kind} {since.astimezone(UTC).isoformat()} {deployment}")
