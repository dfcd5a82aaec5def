"""Stop the processes of runs, have their runs declared crashed, and let the processes continue."""

import os
import signal
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.states import Crashed
from sqlalchemy import text

from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.prefect_support.heartbeat_timeout import CRASH_MESSAGE
from analytics_worker.source_version import source_version
from tests.support.case_runs import Workspace
from tests.support.processes import wait_for_exit
from tests.support.sql import execute, query
from tests.support.wait_until import wait_until

LEASE_SECONDS = 1.0
STEP = "prefect.deployments.steps.set_working_directory"
GATE = """
create function raw.pass_gate() returns integer language plpgsql volatile security definer
set lock_timeout = 0 as $$
begin
    perform pg_advisory_lock_shared(4242);
    perform pg_advisory_unlock_shared(4242);
    return 11;
end $$;
grant usage on schema raw to analytics_reader;
grant execute on function raw.pass_gate() to analytics_reader;
"""
"""A function that waits while a test holds the lock."""
WAITING = (
    "select count(*) from pg_locks as lock join pg_database as base on base.oid = lock.database"
    " where lock.objid = 4242 and base.datname = current_database()"
    " and lock.mode = 'ShareLock'"
)


@contextmanager
def closed_gate() -> Generator[None]:
    """Close the gate; at the end, open it and wait until the database has executed the statements."""
    execute(GATE)
    with direct_connection(warehouse_url(), autocommit=True) as connection:
        connection.execute(text("select pg_advisory_lock(4242)"))
        yield
    wait_at_gate(0)


def deploy(
    work: Workspace, entrypoint: str, tags: Sequence[str] = (), **job_variables: Any
) -> UUID:
    """Deploy a flow of this project."""
    return work.client.create_deployment(
        work.client.create_flow_from_name(entrypoint.rsplit(".", 1)[-1].replace("_", "-")),
        name=f"{work.pool}-{entrypoint}",
        entrypoint=entrypoint,
        version=source_version(),
        tags=list(tags),
        work_pool_name=work.pool,
        pull_steps=[{STEP: {"directory": "/srv/checkout"}}],
        job_variables=job_variables,
    )


def submit(work: Workspace, entrypoint: str, **parameters: Any) -> UUID:
    """Submit a run of a flow of this project."""
    deployment = deploy(work, entrypoint)
    return work.client.create_flow_run_from_deployment(deployment, parameters=parameters).id


def wait_at_gate(statements: int) -> None:
    """Wait until that many statements wait in the database."""
    wait_until(lambda: query(WAITING) == [statements], timeout=60, interval=0.1)


def stop(pids: Iterable[int]) -> None:
    """Stop the processes of runs, as a host does that is suspended."""
    for pid in pids:
        os.killpg(pid, signal.SIGSTOP)
        wait_until(lambda pid=pid: _state(pid) == "T")


def declare_crashed(work: Workspace, runs: Iterable[UUID]) -> None:
    """Do what the server's automation does after 90 s without heartbeats, and let the lease end."""
    for run in runs:
        work.client.set_flow_run_state(run, Crashed(message=CRASH_MESSAGE))
    end = time.monotonic() + LEASE_SECONDS
    wait_until(lambda: time.monotonic() > end, interval=0.1)


def resume(pids: Sequence[int], ending: Sequence[int] | None = None) -> None:
    """Let the processes continue, and wait for the end of these of them, or of all."""
    for pid in pids:
        os.killpg(pid, signal.SIGCONT)
    for pid in pids if ending is None else ending:
        wait_for_exit(pid, timeout=60)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
