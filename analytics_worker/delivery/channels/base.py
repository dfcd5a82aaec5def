"""Define a channel: a way to reach recipients, with what the dispatcher needs to use it.

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
    """The number of messages that a receiver accepts in a period, from all hosts together."""

    messages: int
    period: timedelta


@dataclass(frozen=True)
class Channel:
    """A configured way to reach recipients.

    Attributes:
        name: As rules and reports name it; also the name of its circuit breaker (``channel-NAME``).
        kind: email, webhook, slack, teams, pagerduty, opsgenie, telegram or apprise.
        target: Its address without secrets, for readers ("smtp.example.com:587", "hooks.slack.com").
        recipients: Recipients of messages that are addressed to the channel as a whole.
        session: Opens a session (kept connections) for a batch; one for each thread.
        concurrency: Messages that may be sent at the same time.
        rate: The rate that the receiver accepts; None: unlimited.
        takes_files: Whether attachments are sent as files; otherwise as links.
        digestible: Whether a backlog may be sent as one digest that names each message.
        check_target: Raises PermanentError if the configuration forbids its address. It looks up the
            name and connects to nothing; the address is checked again by what connects.
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
    check_target: Callable[[], None] = lambda: None
    limits: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def groups_messages(self) -> bool:
        """Whether messages with the same digest key are sent as one digest.

        Programs that get webhooks, and incident services, get each message.
        """
        return self.digestible and self.kind != "webhook"
