"""Names of flows and deployments by id, requested once.

Reads the Prefect API; keeps the last thousands in memory.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from analytics_worker.exporter.prefect_client import PAGE, PrefectApi, Row

MAX_CACHED = 5_000
CACHE_SECONDS = 29.0
"""A change of a deployment or a pool is shown within half a minute: it is rare, and each row costs the server time."""


class NameCache:
    """A text for each id of one kind of thing, in the order of their last use."""

    def __init__(self, api: PrefectApi, what: str, text: Callable[[Row], str]) -> None:
        """``text`` makes the text from a row of the API."""
        self._api, self._what, self._text = api, what, text
        self._known: OrderedDict[str, str] = OrderedDict()

    def __call__(self, ids: Iterable[str | None]) -> Mapping[str | None, str]:
        """Texts of these ids; empty for None and for deleted ones."""
        wanted = {one for one in ids if one}
        unknown = sorted(wanted - self._known.keys())
        for start in range(0, len(unknown), PAGE):
            self._load(unknown[start : start + PAGE])
        found: dict[str | None, str] = {None: ""}
        for one in wanted:
            self._known.move_to_end(one)
            found[one] = self._known[one]
        while len(self._known) > MAX_CACHED:
            self._known.popitem(last=False)
        return found

    def _load(self, ids: list[str]) -> None:
        rows = self._api.filter(self._what, **{self._what: {"id": {"any_": ids}}}, limit=PAGE)
        self._known |= dict.fromkeys(ids, "") | {row["id"]: self._text(row) for row in rows}


class CachedList:
    """All rows of a short list, such as the work pools."""

    def __init__(self, api: PrefectApi, what: str) -> None:
        self._api, self._what = api, what
        self._asked_at = float("-inf")
        self._rows: list[Row] = []

    def __call__(self) -> list[Row]:
        """Return them as of some seconds ago."""
        if time.monotonic() >= self._asked_at + CACHE_SECONDS:
            self._rows = list(self._api.all(self._what))
            self._asked_at = time.monotonic()
        return self._rows


class DeploymentIndex:
    """The deployments that there are now, with their labels ``deployment`` and ``work_pool``."""

    def __init__(self, api: PrefectApi) -> None:
        self._deployments = CachedList(api, "deployments")
        self._labels = DeploymentLabels(api)

    def __call__(self) -> list[tuple[tuple[str, str], Row]]:
        """Labels and row of each, as of some seconds ago."""
        rows = self._deployments()
        names = self._labels({**row, "deployment_id": row["id"]} for row in rows)
        return [((names[row["id"]], row["work_pool_name"] or ""), row) for row in rows]


class FlowRunLabels:
    """The label ``deployment`` of flow runs by their id, which task runs do not name."""

    def __init__(self, api: PrefectApi) -> None:
        self._api = api
        self._deployments = DeploymentLabels(api)
        self._known: dict[str, str] = {}

    def note(self, runs: Iterable[Row]) -> dict[str, str]:
        """Return the labels of these flow runs by id, and keep them."""
        if len(self._known) > MAX_CACHED:
            self._known.clear()
        labels = self._deployments(runs)
        self._known |= labels
        return labels

    def __call__(self, ids: Iterable[str | None]) -> Mapping[str, str]:
        """Return the labels of the flow runs with these ids; none of deleted ones."""
        wanted = {one for one in ids if one}
        known = {one: self._known[one] for one in wanted if one in self._known}
        unknown = sorted(wanted - known.keys())
        if not unknown:
            return known
        chosen = {"id": {"any_": unknown}}
        return known | self.note(self._api.filter("flow_runs", flow_runs=chosen, limit=PAGE))


class DeploymentLabels:
    """Look up the label ``deployment`` of runs."""

    def __init__(self, api: PrefectApi) -> None:
        self._flows = NameCache(api, "flows", lambda row: row["name"])
        self._deployments = NameCache(api, "deployments", lambda row: row["name"])

    def __call__(self, runs: Iterable[Row]) -> dict[str, str]:
        """Return by run id ``<flow>/<deployment>``; only the flow's name for a run without deployment."""
        runs = list(runs)
        flows = self._flows(run["flow_id"] for run in runs)
        deployments = self._deployments(run["deployment_id"] for run in runs)
        return {
            run["id"]: _full(flows[run["flow_id"]], deployments[run["deployment_id"]])
            for run in runs
        }


def _full(flow: str, deployment: str) -> str:
    return f"{flow}/{deployment}" if deployment else flow
