"""Deliver everything that leaves the worker: alerts, reports, failing deployments, owner notices.

Domains enqueue messages in the transaction that changes their state; any sender of any host delivers
them later. Names are loaded when they are first used: importing this package opens nothing. ::

    enqueue(connection, [Message(...)])
    counts = deliver_due("alerts", budget=timedelta(seconds=50))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analytics_worker.delivery.attachments import AttachmentOpener, AttachmentUnavailableError
    from analytics_worker.delivery.counts import DeliveryCounts, counts_text
    from analytics_worker.delivery.dispatcher import deliver_due
    from analytics_worker.delivery.message import (
        Attachment,
        Content,
        Domain,
        Image,
        Message,
        Recipient,
    )
    from analytics_worker.delivery.outbox import (
        cancel,
        delivery_statuses,
        enqueue,
        messages_of,
        next_attempt_at,
        prune,
        resend,
        undelivered,
        waiting_for_configuration,
    )
    from analytics_worker.delivery.routing import (
        ChannelUnavailableError,
        default_recipients,
        recipients_of,
        send_once,
    )
    from analytics_worker.send_result import SendResult

_MODULES = {
    "Attachment": "message",
    "AttachmentOpener": "attachments",
    "AttachmentUnavailableError": "attachments",
    "ChannelUnavailableError": "routing",
    "Content": "message",
    "DeliveryCounts": "counts",
    "Domain": "message",
    "Image": "message",
    "Message": "message",
    "Recipient": "message",
    "SendResult": "send_result",
    "cancel": "outbox",
    "counts_text": "counts",
    "default_recipients": "routing",
    "deliver_due": "dispatcher",
    "delivery_statuses": "outbox",
    "enqueue": "outbox",
    "messages_of": "outbox",
    "next_attempt_at": "outbox",
    "prune": "outbox",
    "recipients_of": "routing",
    "resend": "outbox",
    "send_once": "routing",
    "undelivered": "outbox",
    "waiting_for_configuration": "outbox",
}

__all__ = [
    "Attachment",
    "AttachmentOpener",
    "AttachmentUnavailableError",
    "ChannelUnavailableError",
    "Content",
    "DeliveryCounts",
    "Domain",
    "Image",
    "Message",
    "Recipient",
    "SendResult",
    "cancel",
    "counts_text",
    "default_recipients",
    "deliver_due",
    "delivery_statuses",
    "enqueue",
    "messages_of",
    "next_attempt_at",
    "prune",
    "recipients_of",
    "resend",
    "send_once",
    "undelivered",
    "waiting_for_configuration",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
