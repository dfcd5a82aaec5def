"""Define the result of one attempt to send a message.

Channels and transports return it instead of raising, because with many recipients a failure is an
ordinary result. Reads nothing, writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from analytics_worker.errors import ConfigurationError, PermanentError
from analytics_worker.text import one_line

SendStatus = Literal[
    "sent", "temporary", "permanent", "unreachable", "rate_limited", "not_configured"
]


@dataclass(frozen=True)
class SendResult:
    """The result of one attempt.

    Attributes:
        status: ``sent``; ``temporary``: the receiver got the message, or may have, and did not accept
            it now; ``permanent``: it never will; ``unreachable``: the receiver cannot have got it;
            ``rate_limited``: the receiver accepts no message at all for ``retry_after_seconds``;
            ``not_configured``: nothing was sent, because the configuration of this host forbids it.
        detail: The reason, fit for logs and tables: one line without secrets.
        code: The receiver's status code, if it answered.
        outage: Whether the failure is of the service as a whole rather than of one message.
        retry_after_seconds: The pause that the receiver requested.
        receipt: What later messages need to refer to this one, such as a Slack ``ts``.
    """

    status: SendStatus
    detail: str = ""
    code: int | None = None
    outage: bool = False
    retry_after_seconds: float = 0
    receipt: Mapping[str, str] = field(default_factory=dict[str, str])


SENT = SendResult("sent")


def temporary(detail: str, *, code: int | None = None, outage: bool = False) -> SendResult:
    """Return a failure that is worth another attempt."""
    return SendResult("temporary", one_line(detail), code, outage)


def permanent(detail: str, *, code: int | None = None) -> SendResult:
    """Return a failure for which a retry cannot help."""
    return SendResult("permanent", one_line(detail), code)


def unreachable(detail: str, *, code: int | None = None) -> SendResult:
    """Return a failure to reach the service at all."""
    return SendResult("unreachable", one_line(detail), code, outage=True)


def not_configured(detail: str) -> SendResult:
    """Return that the configuration of this host has to be corrected before anything is sent."""
    return SendResult("not_configured", one_line(detail))


def refused(error: PermanentError, subject: object = "") -> SendResult:
    """Return the result of a message that was not sent because of an error on this side."""
    create = not_configured if isinstance(error, ConfigurationError) else permanent
    return create(f"{subject}: {error}" if subject else str(error))


def rate_limited(detail: str, retry_after_seconds: float, *, code: int = 429) -> SendResult:
    """Return the receiver's request for a pause."""
    return SendResult(
        "rate_limited", one_line(detail), code, retry_after_seconds=retry_after_seconds
    )
