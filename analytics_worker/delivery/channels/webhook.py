"""Post messages as signed JSON to an address of the user.

Programs read it, so texts are not escaped: the receiver gets the data unchanged. The body is the
message's own JSON if its domain wrote one (docs/alerts.md), else every field of the message.
Signature and headers are described in `analytics_worker.transport.webhook`.
Reads ``WEBHOOK_*`` settings; writes nothing but requests, which the receiver deduplicates by key.
"""

import math
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

from analytics_worker.delivery.channels.base import Channel, Sender
from analytics_worker.delivery.channels.factory import http_channel
from analytics_worker.delivery.message import Content, OutgoingMessage
from analytics_worker.send_result import SendResult, rate_limited, temporary
from analytics_worker.transport.http import (
    DEFAULT_PAUSE_SECONDS,
    MISSING,
    TOO_MANY_REQUESTS,
)
from analytics_worker.transport.http_backend import check_target
from analytics_worker.transport.webhook import WebhookSession, signing_key, webhook_session
from analytics_worker.transport.webhook_url import parse_url
from blocks.notifications import WebhookChannel

# The fields for programs, without texts for readers (html, images) and headers of emails.
FIELDS = {
    "subject",
    "text",
    "severity",
    "incident_action",
    "incident_key",
    "headline",
    "facts",
    "items",
    "tiles",
    "links",
}


def open_channel(name: str, block: WebhookChannel) -> Channel:
    """Return the channel of a block; nothing is opened before its session is.

    Raises:
        PermanentError: the block's address or secret can't be used.
    """
    target = parse_url(block.url.get_secret_value())
    if block.secret:
        signing_key(block.secret.get_secret_value())

    @contextmanager
    def session() -> Generator[Sender]:
        with webhook_session(block.url, block.secret, connections=1) as webhook:
            yield lambda message: _post(webhook, message)

    check = partial(check_target, target)
    return http_channel(name, "webhook", target.host, session, block.rate, check=check)


def _post(webhook: WebhookSession, message: OutgoingMessage) -> SendResult:
    return _classified(webhook.post(body_of(message.content), message.key))


def body_of(content: Content) -> dict[str, Any]:
    """Return the JSON body of a message."""
    if content.json_body is not None:
        return _finite(content.json_body)
    fields = content.model_dump(mode="json", include=FIELDS)
    files = [
        {
            "name": file.attach_as,
            "url": file.url,
            "media_type": file.media_type,
            "bytes": file.bytes,
        }
        for file in content.attachments
    ]
    return {**fields, "attachments": files}


def _finite(value: Any) -> Any:
    """Return the value with infinity and NaN as text, because JSON has no such numbers."""
    if isinstance(value, dict):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _classified(result: SendResult) -> SendResult:
    """Return the result for a delivery: a missing receiver may be one that is being deployed."""
    if result.code == TOO_MANY_REQUESTS:
        return rate_limited(result.detail, result.retry_after_seconds or DEFAULT_PAUSE_SECONDS)
    if result.code in MISSING and result.status == "permanent":
        return temporary(result.detail, code=result.code)
    return result
