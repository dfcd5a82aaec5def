"""The Prefect API, asked through Prefect's own client: its retries, login and CSRF token come along.

Reads only. Rows stay plain JSON: parsing hundreds of runs into models costs more than requesting them.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, cast

from prefect.client.orchestration import SyncPrefectClient, get_client

from analytics_worker.prefect_support.stack_access import use_server, with_stack_access

PAGE = 200
FIRST_PAGE = 25
"""Page size for new rows: there are usually few, and each row costs the server time."""

Row = Mapping[str, Any]
Runs = Literal["flow_runs", "task_runs"]
RunRoute = Literal["/flow_runs/filter", "/task_runs/filter"]


def instant(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 time."""
    return datetime.fromisoformat(text).timestamp()


def iso(seconds: float) -> str:
    """ISO 8601 in UTC, as the API reads it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


class PrefectApi:
    """A few questions to one Prefect API; the client is made at the first one. For one thread."""

    @cached_property
    def _client(self) -> SyncPrefectClient:
        with use_server(), with_stack_access():
            return get_client(sync_client=True)

    def filter(self, what: str, **body: Any) -> list[Row]:
        """One page of ``flows``, ``deployments``, ``flow_runs`` and so on."""
        route = cast("RunRoute", f"/{what}/filter")
        return self._client.request("POST", route, json=body).json()

    def all(self, what: str, **body: Any) -> Iterator[Row]:
        """Yield all rows of a short list."""
        offset = 0
        while page := self.filter(what, **body, limit=PAGE, offset=offset):
            yield from page
            if len(page) < PAGE:
                return
            offset += PAGE

    def count(self, what: Runs, **filters: Any) -> int:
        """Return the number of runs that match a filter."""
        route = cast("Any", f"/{what}/count")
        return self._client.request("POST", route, json=filters).json()

    def ended(self, what: Runs, since: float | None, until: float | None) -> int:
        """Return how many runs ended in ``since <= end_time <= until``."""
        return self.count(what, **_window(what, since, until))

    def ended_pages(
        self, what: Runs, since: float, until: float | None, first_page: int = PAGE
    ) -> Iterator[list[Row]]:
        """Runs that ended in that time, newest first.

        Each page starts at the end time of the last row, not at an offset: a run that is deleted or
        started again in between must not make the next page skip another one.
        """
        size, offset = first_page, 0
        while True:
            window = _window(what, since, until)
            order = {"sort": "END_TIME_DESC", "limit": size, "offset": offset}
            page = self.filter(what, **window, **order)
            if page:
                yield page
            if len(page) < size:
                return
            last = instant(page[-1]["end_time"])
            stands = until is not None and last >= until
            offset = offset + size if stands else 0
            size, until = PAGE, last

    def states(self, flow_run_id: str) -> list[Row]:
        """Return all states of a flow run, oldest first."""
        route = cast("Any", "/flow_run_states/")
        rows = self._client.request("GET", route, params={"flow_run_id": flow_run_id}).json()
        return sorted(rows, key=lambda state: instant(state["timestamp"]))

    def events(self, prefix: str, since: float, until: float) -> Iterator[list[Row]]:
        """Pages of the events whose name starts with ``prefix``, oldest first."""
        filters = {
            "occurred": {"since": iso(since), "until": iso(until)},
            "event": {"prefix": [prefix]},
            "order": "ASC",
        }
        route = cast("Any", "/events/filter")
        page = self._client.request("POST", route, json={"filter": filters, "limit": 50}).json()
        while True:
            yield page["events"]
            if not page["next_page"]:
                return
            token = page["next_page"].partition("page-token=")[2]
            more = cast("Any", "/events/filter/next")
            page = self._client.request("GET", more, params={"page-token": token}).json()


def _window(what: Runs, since: float | None, until: float | None) -> dict[str, Any]:
    bounds = {"after_": since, "before_": until}
    given = {key: iso(value) for key, value in bounds.items() if value is not None}
    return {what: {"end_time": given or {"is_null_": False}}}
