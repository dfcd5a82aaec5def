"""What others see of a run: Prefect's API, the database, the process table."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psutil
from prefect import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import State
from prefect.client.schemas.sorting import TaskRunSort
from sqlalchemy import RowMapping, text

from analytics_worker.database.connections import direct_connection, warehouse_url


def rows(query: str) -> Sequence[RowMapping]:
    """Rows of the test's database."""
    with direct_connection(warehouse_url()) as connection:
        return connection.execute(text(query)).mappings().all()


def task_run_names(state: State[Any]) -> list[str]:
    """Names of the task runs of a flow run."""
    ours = FlowRunFilterId(any_=[state.state_details.flow_run_id])  # pyright: ignore[reportArgumentType]
    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=ours), sort=TaskRunSort.NAME_ASC, limit=200
        )
    return [run.name for run in runs]


def artifact_rows(state: State[Any]) -> list[dict[str, Any]]:
    """Rows of the one table that a flow run left in the UI."""
    run = str(state.state_details.flow_run_id)
    ours = {"artifacts": {"flow_run_id": {"any_": [run]}, "type": {"any_": ["table"]}}}
    with get_client(sync_client=True) as client:
        (artifact,) = client.request("POST", "/artifacts/filter", json=ours).json()
    return json.loads(artifact["data"])


def dbt_queries() -> list[str]:
    """Queries that dbt has running in the test's database."""
    found = rows(
        "select query from pg_stat_activity"
        " where application_name like 'dbt:%' and state = 'active' and datname = current_database()"
    )
    return [row["query"] for row in found]


def dbt_processes(*, below: int | None = None) -> list[psutil.Process]:
    """The dbt children of a process (default: this one)."""
    found: list[psutil.Process] = []
    for child in psutil.Process(below).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it may end while we look
            found += [child] if any("_process_main.py" in part for part in child.cmdline()) else []
    return found
