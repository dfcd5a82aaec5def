"""Events that are past their time, which the Prefect server alone can delete: its vacuum, once an hour.

Reads the Prefect API, the server's settings among it. Changes nothing.
"""

from datetime import datetime, timedelta
from typing import Any, TypedDict, cast

from prefect.client.orchestration import SyncPrefectClient
from pydantic import TypeAdapter

PATIENCE = timedelta(days=1)
"""Behind its time from which the vacuum does not do its work."""
BEGINNING = "2020-01-01T00:00:00+00:00"

_duration = TypeAdapter(timedelta)


class WaitingEvents(TypedDict):
    """Events older than the server keeps them. ``overdue`` are those that it should have deleted."""

    items: int
    overdue: int
    retention_days: float


def waiting_events(client: SyncPrefectClient, now: datetime) -> WaitingEvents:
    """How many events wait for the server's vacuum, or in vain."""
    kept = _retention(client)
    return WaitingEvents(
        items=_older(client, now - kept),
        overdue=_older(client, now - kept - PATIENCE),
        retention_days=round(kept / timedelta(days=1), 1),
    )


def _retention(client: SyncPrefectClient) -> timedelta:
    settings = client.request("GET", cast("Any", "/admin/settings")).json()
    return _duration.validate_python(settings["server"]["events"]["retention_period"])


def _older(client: SyncPrefectClient, before: datetime) -> int:
    occurred = {"since": BEGINNING, "until": before.isoformat()}
    asked = {"filter": {"occurred": occurred}, "limit": 0}
    return client.request("POST", cast("Any", "/events/filter"), json=asked).json()["total"]
