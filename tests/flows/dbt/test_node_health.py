"""The last verdict about each node: what monitoring notifies of and what reports wait for."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import RowMapping, text

from analytics_worker.database.connections import (
    direct_connection,
    run_sql,
    warehouse,
    warehouse_url,
)
from flows.dbt import run_dbt_models
from flows.monitoring.deployment_health.dbt_failures import with_dbt_failures
from flows.monitoring.deployment_health.state_machine import (
    DeploymentHealth,
    RunEnd,
    apply_runs,
)
from flows.monitoring.incidents.update import update_incidents
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
    """Processes the ends of runs one by one, as `update_health` does."""

    def __init__(self) -> None:
        self.minutes = 0
        self.seen = 0

    def changes(self, end: RunEnd) -> list[str]:
        """Return the event of each incident that changes, with its cause and what is new."""
        self.minutes += 1
        with warehouse() as connection:
            (known,) = with_dbt_failures(connection, [end])
            stored = run_sql(
                connection, "monitoring/load_health", deployments=["run-dbt-models/dbt"]
            )
            before = {row["deployment"]: DeploymentHealth(**row) for row in stored}
            health, _ = apply_runs(before, [known])
            saved = json.dumps([asdict(each) for each in health.values()], default=str)
            run_sql(connection, "monitoring/save_health", rows=saved)
            update_incidents(connection, datetime.now(UTC) + timedelta(minutes=self.minutes))
        found = rows(
            "select e.kind, i.cause_name, e.units::text as units from ops.incident_events as e"
            " join ops.incidents as i on e.incident_id = i.id order by e.id"
        )
        seen, self.seen = self.seen, len(found)
        return [_event(row) for row in found[seen:]]


def _event(row: RowMapping) -> str:
    units = [
        name.rpartition(".")[2] for kind, name in json.loads(row["units"]) if kind != "deployment"
    ]
    return f"{row['kind']} {row['cause_name'].rpartition('.')[2]} ({', '.join(units)})"


def test_each_failing_node_is_an_incident_and_only_its_own_success_ends_it(
    scripted_dbt: ScriptedDbt,
):
    monitor = Monitor()
    assert monitor.changes(run(scripted_dbt, a="error", b="success")) == ["opened a (a)"]
    assert monitor.changes(run(scripted_dbt, a="error", b="error")) == ["opened b (b)"]
    assert monitor.changes(run(scripted_dbt, a="error", b="error")) == []
    assert monitor.changes(run(scripted_dbt, a="error", b="skipped")) == []
    assert monitor.changes(run(scripted_dbt, "--select", "c", c="success")) == []
    assert monitor.changes(run(scripted_dbt, a="success", b="error")) == ["resolved a ()"]
    assert rows("select name, status, failures from ops.dbt_node_health order by name") == [
        {"name": "a", "status": "ok", "failures": 0},
        {"name": "b", "status": "failing", "failures": 3},
        {"name": "c", "status": "ok", "failures": 0},
    ]
    assert rows("select count(*) > 0 as stored from ops.dbt_relations") == [{"stored": True}]
    assert monitor.changes(run(scripted_dbt, b="success")) == ["resolved b ()"]


def test_a_node_that_left_the_project_or_failed_in_another_target_delays_no_other_end(
    scripted_dbt: ScriptedDbt,
):
    monitor = Monitor()
    assert monitor.changes(run(scripted_dbt, a="error")) == ["opened a (a)"]
    elsewhere = manifest("a", "b", schema="dev")
    failed = run(scripted_dbt, "--target", "dev", parsed=elsewhere, b="error")
    assert monitor.changes(failed) == ["opened b (b)"]
    without_a = run(scripted_dbt, parsed=manifest("b", "c"), b="success", c="success")
    assert monitor.changes(without_a) == ["resolved a ()"]


def test_a_warning_is_an_incident_of_its_own_severity_and_names_its_owner(
    scripted_dbt: ScriptedDbt,
):
    test = {"resource_type": "test", "name": "t", "depends_on": {"nodes": ["model.tiny.a"]}}
    test |= {"attached_node": "model.tiny.a", "alias": "t", "schema": "x", "database": ""}
    parsed = json.loads(manifest("a"))
    parsed["nodes"]["model.tiny.a"]["config"]["meta"] = {"owner": "ann@example.com"}
    parsed["nodes"]["test.tiny.t"] = test
    scripted_dbt.answers(
        ended("a"), ended("t", "warn", kind="test"), files={"manifest.json": json.dumps(parsed)}
    )
    run_dbt_models(return_state=True)
    with warehouse() as connection:
        update_incidents(connection, datetime.now(UTC))
    assert rows("select cause_name, severity, owner from ops.incidents") == [
        {"cause_name": "test.tiny.t", "severity": "warning", "owner": "ann@example.com"}
    ]
    assert rows("select relations::text, tested::text from ops.unit_reads") == [
        {"relations": '[["analytics", "a"]]', "tested": '[["analytics", "a"]]'}
    ]


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
