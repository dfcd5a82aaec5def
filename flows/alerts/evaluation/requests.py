"""Evaluate the alert of an event once, however often its request runs.

Reads and writes ``ops.alert_requests`` in the transaction that writes the state and the messages of the alert:
a later run of the same request, or another attempt of the same one, gets the result of the first.
"""

import json
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from prefect import get_run_logger
from prefect.context import FlowRunContext
from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery.outbox import storable
from analytics_worker.prefect_support.request_origin import request_origin
from flows.alerts.evaluation.flow_results import AlertResult, alert_result, superseded_result
from flows.alerts.evaluation.locking import MAX_DELAY
from flows.alerts.evaluation.observation import ReportedStatus
from flows.alerts.evaluation.runner import TRANSACTION_SECONDS, evaluate_event
from flows.alerts.rules.model import Rule


class AlertRequest(NamedTuple):
    """A request to evaluate an alert.

    Attributes:
        id: The id of its first flow run.
        requested_at: When it was due.
        is_repeated: Whether an earlier flow run was lost.
    """

    id: UUID
    requested_at: datetime
    is_repeated: bool

    @property
    def missed_at(self) -> datetime | None:
        """When it was due, if that is long ago."""
        is_late = self.is_repeated and datetime.now(UTC) - self.requested_at > MAX_DELAY
        return self.requested_at if is_late else None


class NotAcceptedError(Exception):
    """The request was evaluated before, or a newer request of the same alert was."""


def evaluate_request(
    identity: str, rule: Rule, reported: ReportedStatus | None = None
) -> AlertResult:
    """Evaluate the alert of the current flow run; return the earlier result if its request has one.

    Args:
        identity: Identity of the alert.
        rule: The rule.
        reported: The status, if the event reports it.
    """
    request = current_request()
    try:
        with warehouse(statement_timeout_seconds=TRANSACTION_SECONDS) as connection:
            missed_at = request.missed_at if request else None
            evaluation = evaluate_event(connection, identity, rule, reported, missed_at=missed_at)
            result = alert_result(rule, evaluation)
            if request and result["error"] is None:  # one that failed may be evaluated again
                _accept(connection, request, identity, result)
            return result
    except NotAcceptedError:
        return _earlier_result(request, rule)


def current_request() -> AlertRequest | None:
    """Return the request of the current flow run; None outside of one."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None:
        return None
    if origin := request_origin():
        return AlertRequest(UUID(origin.flow_run_id), origin.due, is_repeated=True)
    return AlertRequest(run.id, run.expected_start_time or datetime.now(UTC), is_repeated=False)


def _accept(
    connection: Connection, request: AlertRequest, identity: str, result: AlertResult
) -> None:
    """Store the result of the request.

    Raises:
        NotAcceptedError: it has one, or a newer request has; the evaluation is rolled back.
    """
    accepted = run_sql(
        connection,
        "alerts/accept_request",
        **request._asdict(),
        alert=identity,
        result=json.dumps(storable(result)),
    )
    if not accepted:
        raise NotAcceptedError


def _earlier_result(request: AlertRequest | None, rule: Rule) -> AlertResult:
    with warehouse() as connection:
        rows = run_sql(connection, "alerts/result_of_request", id=request and request.id)
    if rows:
        get_run_logger().info("an earlier run of this request evaluated the alert")
        return rows[0]["result"]
    get_run_logger().warning("a newer request of the alert was evaluated; this one is not")
    return superseded_result(rule)
