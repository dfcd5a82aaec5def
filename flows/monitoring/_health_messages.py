"""Make the messages that follow from deployments that began to fail or recovered.

Reads nothing, writes nothing. The id of a message follows from deployment and streak, so that a streak
is enqueued once whoever does it, and that only recipients of "failing" get "recovered".
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

from analytics_worker.delivery import Message, Recipient
from analytics_worker.text import one_line
from flows.monitoring._health_state import Health, Turn
from flows.monitoring._notification_text import Kind, of_deployment

NAMESPACE = UUID("b0b6a3a5-3b1e-4b8c-9e0c-7c8a6f1d2e94")

MAX_NAMES = 3
"""Deployments that a one-line text names."""

Notified = dict[str, datetime | None]


def turn_messages(
    turns: Sequence[Turn],
    notified: Mapping[str, datetime | None],
    recipients: Sequence[Recipient],
) -> tuple[list[Message], Notified]:
    """Return a message for each turn, if there is somebody to notify.

    Args:
        turns: In the order in which they happened.
        notified: By deployment: start of the last streak that somebody was notified of.
        recipients: Whom to notify.

    Returns:
        The messages, and ``notified`` after them.
    """
    messages: list[Message] = []
    after = dict(notified)
    for turn in turns if recipients else ():
        deployment = turn.end.deployment
        if turn.kind == "failing":
            after[deployment] = turn.since
        elif after.get(deployment) != turn.since:
            continue  # nobody was notified that it failed
        messages.append(_turn_message(turn, recipients))
    return messages, after


def _turn_message(turn: Turn, recipients: Sequence[Recipient]) -> Message:
    end = turn.end
    details = {
        "state": end.name,
        "message": end.message,
        "run_id": str(end.run_id),
        "ended_at": end.ended_at.isoformat(),
        "since": turn.since.isoformat(),
        "failures": turn.failures,
    }
    return _message(end.deployment, turn.kind, turn.since, details, recipients)


def untold_message(health: Health, recipients: Sequence[Recipient]) -> Message:
    """Return the message about a deployment that has been failing for some time."""
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
        content=of_deployment(deployment, kind, details),
        recipients=recipients,
        topic=deployment,
        follows=message_id(deployment, "failing", since) if kind == "recovered" else None,
        reference=deployment,
        id=message_id(deployment, kind, since),
    )


def untold_text(deployments: Sequence[str]) -> str:
    """Return the statement that nobody was notified of these failing deployments, and the fix."""
    names = one_line(", ".join(deployments[:MAX_NAMES]))
    more = f" and {len(deployments) - MAX_NAMES} more" if len(deployments) > MAX_NAMES else ""
    return f"nobody was notified that {names}{more} failed, because no channel is configured"


def message_id(deployment: str, kind: Kind, since: datetime) -> UUID:
    """Return the id of the message that a streak began or ended."""
    return uuid5(NAMESPACE, f"{kind} {since.astimezone(UTC).isoformat()} {deployment}")
