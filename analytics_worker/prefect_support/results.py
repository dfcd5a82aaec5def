"""Define the result of a flow: a JSON object whose ``status`` decides the final state of the run.

``partial`` and ``failed`` end in a FAILED state of that name, an open circuit breaker in a FAILED state
named ``CircuitOpen``, ``skipped`` in a COMPLETED state named ``Skipped``. The data of the state is the
object itself, so that any process can read it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NotRequired, TypedDict, cast

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from analytics_worker.text import one_line

MAX_MESSAGE_LENGTH = 5000
Status = Literal["success", "partial", "failed", "skipped"]


class FlowResult(TypedDict):
    """The fields of every result; each flow's own type adds to them."""

    status: Status
    message: str
    timestamp: str
    """When the flow returned: ISO 8601, UTC."""
    error: NotRequired[str]


class RunFailed(Exception):  # noqa: N818  # named like Prefect's FailedRun
    """A flow that was called directly, or waited for, did not succeed.

    Attributes:
        result: The result of the flow, or None if it ended without one.
    """

    def __init__(self, message: str, result: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.result = result


def flow_result(status: Status, message: str, *, error: str | None = None) -> FlowResult:
    """Return the common fields, as of now: ``return {**flow_result("success", "4 views"), "results": …}``."""
    common = FlowResult(status=status, message=message, timestamp=datetime.now(UTC).isoformat())
    if error is not None:
        common["error"] = error
    return common


def status_of(*, succeeded: int, failed: int) -> Status:
    """Return ``success`` without failures, ``partial`` with some, ``failed`` if nothing succeeded."""
    if not failed:
        return "success"
    return "partial" if succeeded else "failed"


def state_of(result: Mapping[str, Any], name: str | None = None) -> State[Any]:
    """Return the final state of a run with that result."""
    status = cast("FlowResult", result)["status"]
    message = one_line(str(result.get("message", "")), MAX_MESSAGE_LENGTH)
    data = dict(result)
    if status in {"success", "skipped"}:
        default = "Completed" if status == "success" else "Skipped"
        return Completed(name=name or default, message=message, data=data)
    return Failed(name=name or status.capitalize(), message=message, data=data)
