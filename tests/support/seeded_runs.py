"""Flow and task runs made through the API: every way in which a run can end, without running any."""

import sqlite3
from collections import Counter
from collections.abc import Generator
from contextlib import closing, contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

RUNNING, RETRY = "RUNNING", "SCHEDULED:AwaitingRetry"
WAYS = {
    "completed": ["PENDING", RUNNING, "COMPLETED"],
    "failed": ["PENDING", RUNNING, "FAILED"],
    "retried by its policy": [RUNNING, RETRY, RUNNING, RETRY, RUNNING, "COMPLETED"],
    "retried by hand": [RUNNING, "FAILED", RETRY, RUNNING, "FAILED", RETRY, RUNNING, "COMPLETED"],
    "crashed": ["PENDING", RUNNING, "CRASHED"],
    "crashed before it started": ["PENDING", "CRASHED"],
    "cancelled": [RUNNING, "CANCELLING", "CANCELLED"],
    "cancelled while it waited": ["CANCELLED"],
    "partial": [RUNNING, "FAILED:Partial"],
    "skipped": [RUNNING, "COMPLETED:Skipped"],
    "still running": [RUNNING],
}
TERMINAL = "('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')"


class Seeder:
    """Makes runs of one flow on one server."""

    def __init__(self, client: Any) -> None:
        """A flow with a name of its own."""
        self._client = client
        self.made: list[str] = []
        self.flow = f"seeded-{uuid4().hex[:8]}"
        self._flow_id = self._post("/flows/", name=self.flow)["id"]

    def runs(self, number: int) -> list[str]:
        """So many runs, of every way in turn, each with a task run; their ids."""
        return [self.run(way) for way in islice(cycle(WAYS), number)]

    def run(self, way: str) -> str:
        """One run that goes through the states of a way."""
        run = self._post("/flow_runs/", flow_id=self._flow_id)["id"]
        for state in WAYS[way]:
            self._enter(f"/flow_runs/{run}/set_state", state)
        task = {"task_key": "unit-0123abcd", "dynamic_key": uuid4().hex, "flow_run_id": run}
        task_run = self._post("/task_runs/", **task)["id"]
        for state in (RUNNING, "FAILED" if "failed" in way else "COMPLETED"):
            self._enter(f"/task_runs/{task_run}/set_state", state)
        return run

    def delete(self, run: str) -> None:
        """Remove a run, as retention does."""
        self._client.request("DELETE", f"/flow_runs/{run}")

    def _enter(self, route: str, state: str) -> None:
        kind, _, name = state.partition(":")
        self._post(route, state={"type": kind, "name": name or None}, force=True)

    def _post(self, route: str, **body: Any) -> Any:
        return self._client.request("POST", route, json=body).json()


@contextmanager
def seeder(api_url: str) -> Generator[Seeder]:
    """Runs on the server of that address."""
    with (
        temporary_settings({PREFECT_API_URL: api_url}),
        get_client(sync_client=True) as client,
    ):
        yield Seeder(client)


def in_database(home: Path, flow: str) -> dict[str, Counter[str]]:
    """What the server's database stores about a flow: the truth that counters are compared with."""
    of_flow = "join flow on flow.id = run.flow_id where flow.name = ?"
    queries = {
        "flow runs": "select state.name, count(*) from flow_run_state as state"
        f" join flow_run as run on run.id = state.flow_run_id {of_flow}"
        f" and state.type in {TERMINAL} group by 1",
        "retries": f"select 'n', sum(max(run.run_count - 1, 0)) from flow_run as run {of_flow}",
        "waits": f"select 'n', count(*) from flow_run as run {of_flow}"
        " and run.run_count > 0 and exists (select * from flow_run_state as state"
        f" where state.flow_run_id = run.id and state.type in {TERMINAL})",
        "task runs": "select task.state_name, count(*) from task_run as task"
        f" join flow_run as run on run.id = task.flow_run_id {of_flow}"
        f" and task.state_type in {TERMINAL} group by 1",
    }
    with closing(sqlite3.connect(home / "prefect.db", timeout=30)) as connection:
        return {
            name: Counter(dict(connection.execute(query, (flow,)).fetchall()))
            for name, query in queries.items()
        }
