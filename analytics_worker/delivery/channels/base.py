"""Define what a channel is: a way to reach recipients, and how the dispatcher uses it.

Reads nothing, writes nothing.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from analytics_worker.delivery.message import OutgoingMessage
from analytics_worker.send_result import SendResult

Sender = Callable[[OutgoingMessage], SendResult]


class Rate(NamedTuple):
    """How many messages a receiver takes in a period, over all hosts."""

    messages: int
    period: timedelta


@dataclass(frozen=True)
class Channel:
    """A configured way to reach recipients.

    Attributes:
        name: As rules and reports name it; also the name of its circuit breaker (``channel-NAME``).
        kind: email, webhook, slack, teams, pagerduty, opsgenie, telegram or apprise.
        target: Where it leads, for people: no secret in it ("smtp.example.com:587", "hooks.slack.com").
        recipients: Who gets what is addressed to the channel as a whole.
        session: Opens what a batch needs (kept connections); one for each thread.
        concurrency: Messages that may be sent at the same time.
        rate: What the receiver takes; None: unlimited.
        takes_files: Whether attachments arrive as files; otherwise as links.
        digestible: Whether messages that piled up may leave as one that names each of them.
    """

    name: str
    kind: str
    target: str
    recipients: list[str]
    session: Callable[[], AbstractContextManager[Sender]]
    concurrency: int = 1
    rate: Rate | None = None
    takes_files: bool = False
    digestible: bool = True
    limits: Mapping[str, int] = field(default_factory=dict[str, int])
