"""Count expired events, which only the hourly vacuum of the Prefect server can delete.

Reads the Prefect API, including the settings of the server. Changes nothing.
"""

from datetime import datetime, timedelta
from typing import Any, TypedDict, cast

from prefect.client.orchestration import SyncPrefectClient
from pydantic import TypeAdapter

VACUUM_GRACE = timedelta(days=1)
"""Delay from which the vacuum is considered not to run."""
EARLIEST = "2020-01-01T00:00:00+00:00"

_duration = TypeAdapter(timedelta)


class WaitingEvents(TypedDict):
    """Numbers of events older than the server's retention; it should have deleted the ``overdue`` ones."""

    items: int
    overdue: int
    retention_days: float


def waiting_events(client: SyncPrefectClient, now: datetime) -> WaitingEvents:
    """Count the events that wait for the server's vacuum, and those that it should have deleted."""
    retention = _retention(client)
    return WaitingEvents(
        items=_count_older(client, now - retention),
        overdue=_count_older(client, now - retention - VACUUM_GRACE),
        retention_days=round(retention / timedelta(days=1), 1),
    )


def _retention(client: SyncPrefectClient) -> timedelta:
    settings = client.request("GET", cast("Any", "/admin/settings")).json()
    return _duration.validate_python(settings["server"]["events"]["retention_period"])


def _count_older(client: SyncPrefectClient, before: datetime) -> int:
    occurred = {"since": EARLIEST, "until": before.isoformat()}
    query = {"filter": {"occurred": occurred}, "limit": 0}
    return client.request("POST", cast("Any", "/events/filter"), json=query).json()["total"]
