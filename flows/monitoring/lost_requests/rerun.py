"""Run the requests of lost runs again, or notify that they are given up.

Reads and writes ``ops.lost_requests`` and the Prefect API, enqueues messages. Safe to repeat and to kill: a lost run
has one next run, by its idempotency key, and one message, by its id.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import NamedTuple
from uuid import UUID, uuid5

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery import Message, enqueue
from analytics_worker.prefect_support.request_origin import RequestOrigin
from analytics_worker.prefect_support.run_results import read_run
from analytics_worker.settings import settings
from analytics_worker.text import counted, one_line
from flows.monitoring.lost_requests.content import given_up_content
from flows.monitoring.lost_requests.detection import TIMED_OUT
from flows.monitoring.lost_requests.model import LostRequest
from flows.monitoring.notifications.recipients import monitoring_recipients

BATCH_SIZE = 100
BUDGET = timedelta(seconds=10)
"""How long one update creates runs; the next one creates the others."""
MAX_TIMEOUTS = 2
"""Reruns of a run that takes too long: an outage can be the cause, but the next one may take as long."""
LOST_STATES = frozenset({"CRASHED", "FAILED"})
NAMESPACE = UUID("4f0b1c52-5d0e-4c6c-8e55-0d8a8d7f2a19")
REFUSALS = frozenset({HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY})
"""Answers of the server to parameters that the deployment does not accept any more."""


@dataclass
class Reruns:
    """What was done.

    Attributes:
        lines: A line for each lost run.
        messages: Ids of the enqueued messages.
        unnotified: A text for each request that was given up without a notification.
    """

    lines: list[str] = field(default_factory=list[str])
    messages: list[UUID] = field(default_factory=list[UUID])
    unnotified: list[str] = field(default_factory=list[str])


class Settlement(NamedTuple):
    """What happens to the request of one lost run: a value of ``ops.lost_requests.status``."""

    status: str
    reason: str | None = None
    next_run_id: UUID | None = None


DELETED = Settlement("given up", "its run or its deployment was deleted")


def rerun_lost_requests(client: SyncPrefectClient, now: datetime) -> Reruns:
    """Run each request again that is due; one that can't be does not affect the others."""
    with warehouse() as connection:
        rows = run_sql(
            connection,
            "monitoring/due_lost_requests",
            now=now,
            days=settings().run_retention_days,
            max_reruns=settings().request_max_reruns,
            batch_size=BATCH_SIZE,
        )
    reruns, deadline = Reruns(), time.monotonic() + BUDGET.total_seconds()
    for lost in (LostRequest(**row) for row in rows):
        if time.monotonic() > deadline:
            break
        settlement = _rerun_or_give_up(client, lost, now)
        with warehouse() as connection:
            _settle(connection, lost, settlement, reruns)
    return reruns


def _rerun_or_give_up(client: SyncPrefectClient, lost: LostRequest, now: datetime) -> Settlement:
    if reason := limit_reached(lost, now):
        return Settlement("given up", reason)
    try:
        return _rerun(client, lost)
    except ObjectNotFound:
        return DELETED
    except PrefectHTTPStatusError as error:
        is_refused = error.response.status_code in REFUSALS
        return Settlement("given up" if is_refused else "waiting", one_line(str(error)))
    except (httpx.HTTPError, OSError) as error:
        return Settlement("waiting", one_line(str(error)) or type(error).__name__)


def limit_reached(lost: LostRequest, now: datetime) -> str | None:
    """Return why a request is not run again: its number of runs, or its age; None if it is."""
    most, hours = settings().request_max_reruns, settings().request_rerun_max_hours
    if not most:
        return "REQUEST_MAX_RERUNS is 0"
    if lost.reruns >= most:
        return f"it was run again {counted(lost.reruns, 'time')} (REQUEST_MAX_RERUNS)"
    if lost.state == TIMED_OUT and lost.reruns >= MAX_TIMEOUTS:
        return f"it took too long, also in {MAX_TIMEOUTS} later runs"
    if now - lost.requested_at > timedelta(hours=hours):
        return f"it is older than {hours:g} hours (REQUEST_RERUN_MAX_HOURS)"
    return None


def _rerun(client: SyncPrefectClient, lost: LostRequest) -> Settlement:
    """Create the next run, unless another process has, or the lost run was started again.

    Raises:
        ObjectNotFound: the run or its deployment was deleted.
        PrefectHTTPStatusError, httpx.HTTPError: the server refused it, or can't be reached.
    """
    run = read_run(client, lost.run_id)
    if (run.get("state") or {}).get("type") not in LOST_STATES:
        return Settlement("dropped", "its run was started again, or has another state now")
    if run["deployment_id"] is None:
        return DELETED
    created = client.create_flow_run_from_deployment(
        UUID(run["deployment_id"]),
        parameters=run["parameters"],
        tags=run["tags"],
        job_variables=run["job_variables"],
        idempotency_key=f"rerun-of-{lost.run_id}",
        labels={**RequestOrigin(str(lost.request_id), lost.requested_at).labels()},
    )
    return Settlement("rerun", next_run_id=created.id)


def _settle(
    connection: Connection, lost: LostRequest, settlement: Settlement, reruns: Reruns
) -> None:
    values = settlement._asdict()
    run_sql(connection, "monitoring/settle_lost_request", run_id=lost.run_id, **values)
    reruns.lines.append(_line(lost, settlement))
    if settlement.status == "given up":
        _notify(connection, lost, settlement.reason or "", reruns)


def _notify(connection: Connection, lost: LostRequest, reason: str, reruns: Reruns) -> None:
    message_id = uuid5(NAMESPACE, str(lost.run_id))
    message = Message(
        domain="monitoring",
        kind="request_lost",
        content=given_up_content(lost, reason),
        recipients=monitoring_recipients(),
        reference=lost.deployment,
        id=message_id,
    )
    if message.recipients:
        enqueue(connection, [message])
        reruns.messages.append(message_id)
    else:
        reruns.unnotified.append(f"a request of {lost.deployment}")


def _line(lost: LostRequest, settlement: Settlement) -> str:
    texts: Mapping[str, str] = {
        "rerun": f"runs again as run {settlement.next_run_id}",
        "waiting": f"could not be run again yet: {settlement.reason}",
        "dropped": f"is not run again: {settlement.reason}",
        "given up": f"is given up: {settlement.reason}",
    }
    subject = f"{lost.deployment}: the request of run {lost.run_id} ({lost.state})"
    return f"{subject} {texts[settlement.status]}"
