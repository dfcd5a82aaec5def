"""After downtime one run per schedule works; the others end as Skipped before they start."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from tests.support.case_runs import Workspace
from tests.support.processes import Process, Server
from tests.support.wait_until import wait_until

NUMBERS = (1, 2, 3)


def schedule(number: int) -> DeploymentScheduleCreate:
    return DeploymentScheduleCreate.model_validate(
        {
            "schedule": {"cron": "*/10 * * * *", "timezone": "UTC"},
            "slug": f"number-{number}",
            "parameters": {"number": number},
        }
    )


def runs_of(pool: Workspace, deployment: UUID) -> list[FlowRun]:
    wanted = FlowRunFilter.model_validate({"deployment_id": {"any_": [deployment]}})
    return pool.client.read_flow_runs(flow_run_filter=wanted, sort=FlowRunSort.ID_DESC)


def let_hours_pass(server: Server, deployment: UUID, hours: int) -> None:
    """Move what is scheduled into the past: as if no worker had run since."""
    with closing(sqlite3.connect(server.home / "prefect.db", timeout=30)) as database:
        shift = (f"-{hours} hours", deployment.hex)
        where = "replace(deployment_id, '-', '') = ?"
        database.execute(
            "update flow_run_state set state_details = json_set(state_details, '$.scheduled_time',"
            " strftime('%Y-%m-%dT%H:%M:%fZ', json_extract(state_details, '$.scheduled_time'), ?))"
            f" where flow_run_id in (select id from flow_run where {where})",
            shift,
        )
        shifted = "strftime('%Y-%m-%d %H:%M:%f', {0}, ?)||'000'"
        database.execute(
            f"update flow_run set expected_start_time = {shifted.format('expected_start_time')},"
            f" next_scheduled_start_time = {shifted.format('next_scheduled_start_time')} where {where}",
            (shift[0], *shift),
        )
        database.commit()


def test_of_an_hour_s_runs_one_per_schedule_works(
    prefect_server: Server, pool: Workspace, start_worker: Callable[..., Process]
):
    deployment = pool.deploy("ok")
    made = pool.client.read_deployment(deployment)
    pool.client.create_deployment(
        made.flow_id,
        name=made.name,
        entrypoint=made.entrypoint,
        work_pool_name=pool.pool,
        pull_steps=made.pull_steps,
        schedules=[schedule(number) for number in NUMBERS],
        enforce_parameter_schema=False,
    )
    wait_until(lambda: len(runs_of(pool, deployment)) >= 18, timeout=90, interval=0.5)
    let_hours_pass(prefect_server, deployment, hours=2)
    asked_for = pool.client.create_flow_run_from_deployment(deployment, parameters={"number": 9}).id
    start_worker()

    def overdue() -> list[FlowRun]:
        now = datetime.now(UTC) + timedelta(minutes=1)
        return [
            run
            for run in runs_of(pool, deployment)
            if run.auto_scheduled and run.expected_start_time and run.expected_start_time < now
        ]

    wait_until(
        lambda: all(run.state and run.state.is_final() for run in overdue()),
        timeout=120,
        interval=0.5,
    )
    names = Counter(run.state_name for run in overdue())
    assert names["Completed"] == len(NUMBERS)
    assert names["Skipped"] == len(overdue()) - len(NUMBERS) >= 15
    worked = [run for run in overdue() if run.state_name != "Skipped"]
    assert sorted(run.parameters["number"] for run in worked) == list(NUMBERS)
    skipped = next(run for run in overdue() if run.state_name == "Skipped")
    assert "one run per schedule catches up" in str(skipped.state and skipped.state.message)
    assert (skipped.run_count, skipped.infrastructure_pid) == (0, None)
    assert pool.wait(asked_for).name == "Completed"
