"""Define what an evaluation observes: samples, a failure of the SQL, or a reported status.

Reads nothing, writes nothing.
"""

from dataclasses import dataclass
from decimal import Decimal

from flows.alerts.evaluation.samples import Samples
from flows.alerts.evaluation.state_machine import Classification


@dataclass(frozen=True)
class Failure:
    """The SQL could not be evaluated; the message is one sentence."""

    message: str


@dataclass(frozen=True)
class ReportedStatus:
    """Status and value that an event reports, in place of samples."""

    status: Classification
    value: Decimal | None


Observation = Samples | Failure | ReportedStatus
