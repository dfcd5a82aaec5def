"""What became of one attempt to hand a message to somebody: a recipient, a web hook, a chat.

Reads nothing, writes nothing. `analytics_worker.transport.mail` and `analytics_worker.transport.webhook` answer with it instead of raising,
because with many recipients a failure is a result like any other.
"""

from dataclasses import dataclass
from typing import Literal

from analytics_worker.text import one_line

SendStatus = Literal["sent", "temporary", "permanent", "unreachable"]


@dataclass(frozen=True)
class SendResult:
    """The result of one attempt.

    ``temporary``: the other side has seen the message, or may have, and did not take it now.
    ``permanent``: it will never take it. ``unreachable``: nobody has seen the message.
    """

    status: SendStatus
    detail: str = ""
    """What went wrong, fit for logs and tables: one line, no address with a secret in it."""
    code: int | None = None
    """The server's status code, if it answered."""
    outage: bool = False
    """Whether this speaks against the service as a whole, rather than against one message."""
    retry_after_seconds: float = 0
    """How long the service asked to be left alone."""


SENT = SendResult("sent")


def temporary(detail: str, *, code: int | None = None, outage: bool = False) -> SendResult:
    """Not now."""
    return SendResult("temporary", one_line(detail), code, outage)


def permanent(detail: str, *, code: int | None = None) -> SendResult:
    """Never."""
    return SendResult("permanent", one_line(detail), code)


def unreachable(detail: str, *, code: int | None = None) -> SendResult:
    """The service is away, or refuses to talk to us at all."""
    return SendResult("unreachable", one_line(detail), code, outage=True)
