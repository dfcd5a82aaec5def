"""The last verdict about each node: what monitoring notifies of and what reports wait for."""

from uuid import UUID

import pytest
from sqlalchemy import text

from analytics_worker.database.connections import direct_connection, warehouse, warehouse_url
from flows.dbt import run_dbt_models
from flows.monitoring.deployment_health.dbt_failures import (
    mark_dbt_failures_notified,
    with_dbt_failures,
)
from flows.monitoring.deployment_health.state_machine import (
    DeploymentHealth,
    RunEnd,
    apply_runs,
)
from tests.flows.dbt.seen import rows
from tests.support.scripted_dbt import ScriptedDbt, ended, manifest

FAILS = "division by zero"


def run(scripted: ScriptedDbt, *args: str, parsed: str = "", **results: str) -> RunEnd:
    """Run the models with these results; return the end of the run as monitoring sees it."""
    nodes = [ended(name, status, FAILS) for name, status in results.items()]
    scripted.answers(*nodes, files={"manifest.json": parsed or manifest("a", "b", "c")})
    state = run_dbt_models(list(args), return_state=True)
    run_id = state.state_details.flow_run_id
    assert isinstance(run_id, UUID)
    return RunEnd(
        deployment="run-dbt-models/dbt",
        run_id=run_id,
        state_id=state.id,
        ended_at=state.timestamp,
        name=state.name or "",
        kind=state.type.value,
        message=state.message or "",
    )


class Monitor:
    """Processes the ends of runs one by one, as `update_health` does with recipients."""

    def __init__(self) -> None:
        self.health: dict[str, DeploymentHealth] = {}

    def changes(self, end: RunEnd) -> list[tuple[str, tuple[str, ...]]]:
        with warehouse() as connection:
            (known,) = with_dbt_failures(connection, [end])
            self.health, changes = apply_runs(self.health, [known])
            mark_dbt_failures_notified(connection, [known])
        return [(change.kind, change.nodes) for change in changes]


def test_each_failing_node_is_notified_of_and_only_its_own_success_is_a_recovery(
    scripted_dbt: ScriptedDbt,
):
    monitor = Monitor()
    assert monitor.changes(run(scripted_dbt, a="error", b="success")) == [("failing", ())]
    assert monitor.changes(run(scripted_dbt, a="error", b="error")) == [("failing", ("b",))]
    assert monitor.changes(run(scripted_dbt, a="error", b="error")) == []
    assert monitor.changes(run(scripted_dbt, a="error", b="skipped")) == []
    assert monitor.changes(run(scripted_dbt, "--select", "c", c="success")) == []
    assert monitor.changes(run(scripted_dbt, a="success", b="error")) == []
    assert rows("select name, status, failures from ops.dbt_node_health order by name") == [
        {"name": "a", "status": "ok", "failures": 0},
        {"name": "b", "status": "failing", "failures": 3},
        {"name": "c", "status": "ok", "failures": 0},
    ]
    assert rows("select count(*) > 0 as stored from ops.dbt_relations") == [{"stored": True}]
    assert monitor.changes(run(scripted_dbt, b="success")) == [("recovered", ())]


def test_a_node_that_left_the_project_or_failed_in_another_target_delays_no_recovery(
    scripted_dbt: ScriptedDbt,
):
    monitor = Monitor()
    assert monitor.changes(run(scripted_dbt, a="error")) == [("failing", ())]
    elsewhere = manifest("a", "b", schema="dev")
    failed = run(scripted_dbt, "--target", "dev", parsed=elsewhere, b="error")
    assert monitor.changes(failed) == [("failing", ("b",))]
    without_a = run(scripted_dbt, parsed=manifest("b", "c"), b="success", c="success")
    assert monitor.changes(without_a) == [("recovered", ())]


@pytest.mark.parametrize(
    ("args", "results", "is_built"),
    [
        ([], {"a": "success"}, True),
        ([], {"a": "skipped"}, False),
        (["--empty"], {"a": "success"}, False),
    ],
)
def test_only_a_build_with_data_is_one(scripted_dbt: ScriptedDbt, args, results, is_built):
    run(scripted_dbt, *args, **results)
    found = rows("select name, built_at > now() - interval '1 h' as built from ops.dbt_node_health")
    assert {row["name"]: bool(row["built"]) for row in found} == {
        "a": is_built,
        "b": False,
        "c": False,
    }


def test_that_no_node_can_be_recorded_changes_no_result(scripted_dbt: ScriptedDbt):
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text("drop table ops.dbt_node_health"))
    assert run(scripted_dbt, a="success").name == "Completed"
