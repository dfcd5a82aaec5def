"""One message for one recipient, as the outbox hands it to a channel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from analytics_worker.send_result import SendResult


@dataclass(frozen=True)
class Parcel:
    """What is sent. ``key`` is the same for every attempt."""

    key: str
    recipient: str
    subject: str
    text: str
    html: str | None = None
    json: Mapping[str, Any] | None = None


Sender = Callable[[Parcel], SendResult]
