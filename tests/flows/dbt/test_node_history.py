"""What is recorded about each node, and how durations are compared with earlier ones."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from analytics_worker.cli.dbt import dbt
from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.settings import settings
from flows.dbt import run_dbt_models, run_dbt_tests
from flows.dbt._dbt_artifacts import NodeResult
from flows.dbt._run_results import results_of
from flows.dbt.node_history.details import owner_of
from flows.dbt.node_history.durations import describe_durations, usual_seconds
from tests.flows.dbt.seen import artifact_rows, rows

PROPERTIES = """
groups:
  - name: finance
    owner: { name: Ann, email: ann@example.com }
models:
  - name: numbers
    config: { group: finance, tags: [nightly, kpi] }
    columns:
      - name: id
        data_tests:
          - accepted_values:
              name: only_one
              arguments: { values: [1] }
              config: { store_failures: true }
  - name: broken
    config: { meta: { owner: bob@example.com } }
"""
EARLIER = """
with run as (
    insert into ops.dbt_runs (command, args, started_at, status)
    select :command, cast(:args as text []), now() - make_interval(days => day), 'success'
    from generate_series(1, 7) as day
    returning id
)
insert into ops.dbt_node_results (run_id, unique_id, resource_type, name, status, seconds, relation)
select id, 'model.p.m', 'model', 'm', 'success', :seconds, :relation from run
"""


def test_owner_relation_sql_and_failing_rows_are_recorded(model):
    model("numbers.sql", "select 1 as id union all select 2")
    model("broken.sql", "select 1 / 0 as id")
    model("properties.yml", PROPERTIES)

    built = run_dbt_models(return_state=True)
    tested = run_dbt_tests(return_state=True)

    assert "broken (owner: bob@example.com): Database Error" in built.message
    assert "only_one (owner: Ann <ann@example.com>): Got 1 result" in tested.message
    errors = built.result(raise_on_failure=False)["errors"]
    assert [error["owner"] for error in errors] == ["bob@example.com"]
    kept = {row["name"]: row for row in rows("select * from ops.dbt_node_results")}
    numbers, broken, test = kept["numbers"], kept["broken"], kept["only_one"]
    assert (numbers["owner"], numbers["group_name"], numbers["tags"]) == (
        "Ann <ann@example.com>", "finance", ["nightly", "kpi"]
    )  # fmt: skip
    assert numbers["relation"].endswith('"tiny"."numbers"')
    assert datetime.now(UTC) - numbers["started_at"] < timedelta(minutes=10)
    assert numbers["compiled_sql"] is None
    assert broken["compiled_sql"] == "select 1 / 0 as id"
    assert test["failures"] == 1
    assert "value_field" in test["compiled_sql"]
    assert rows(f"select value_field from {test['failures_relation']}") == [{"value_field": 2}]
    assert artifact_rows(built)[0]["node"] == "model broken"

    assert "select 1 / 0 as id" in (settings().report_output_dir / "dbt-run-failed.sql").read_text()

    shown = CliRunner().invoke(dbt, ["history", "only_one"]).output
    assert "owner      Ann <ann@example.com>" in shown
    assert f"failing rows: {test['failures_relation']}" in shown
    assert "fail" in shown
    unknown = CliRunner().invoke(dbt, ["history", "number"])
    assert unknown.exit_code == 1
    assert "similar names: numbers" in unknown.output


def node(seconds: float, unique_id: str = "model.p.m") -> NodeResult:
    return NodeResult(
        unique_id=unique_id, name=unique_id[-1], resource_type="model", status="success",
        seconds=seconds, rows=None, message=""
    )  # fmt: skip


def earlier(command: str, seconds: float, relation: str | None = "a.m", *args: str) -> None:
    values = {"command": command, "seconds": seconds, "relation": relation, "args": list(args)}
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text(EARLIER), values)


@pytest.mark.usefixtures("environment")
def test_results_of_another_relation_or_target_are_told_apart():
    earlier("dbt run", 4.0)
    earlier("dbt run", 0.5, "dev.m", "--target", "dev")
    earlier("dbt test", 6.0, None)
    earlier("dbt test", 0.2, None, "-t", "dev")

    now = datetime.now(UTC)
    usual = [
        usual_seconds({"model.p.m": relation}, now, target).get("model.p.m")
        for relation, target in (("a.m", None), ("dev.m", "dev"), (None, None), (None, "dev"))
    ]
    assert usual == [4.0, 0.5, 6.0, 0.2]
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text("delete from ops.dbt_runs where command = 'dbt test'"))
        connection.execute(text("update ops.dbt_runs set started_at = now() where args = '{}'"))
    shown = CliRunner().invoke(dbt, ["history", "m"]).output
    assert "relation   a.m" in shown
    assert shown.count("    relation dev.m, target dev\n") == 7


@pytest.mark.usefixtures("environment")
def test_a_node_is_compared_with_its_own_earlier_runs():
    earlier("dbt run", 4.0)
    earlier("dbt docs generate", 0.1)

    usual = usual_seconds({"model.p.m": "a.m", "model.p.n": "a.n"}, datetime.now(UTC))

    assert usual == {"model.p.m": 4.0}
    slow = describe_durations([node(9.5), node(30, "model.p.n")], usual)
    assert slow == "Slowest: n 30.0 s; m 9.5 s. Slower than usual: m 9.5 s, usually 4.0 s."
    assert "Slower" not in describe_durations([node(8.5)], usual)
    assert describe_durations([], usual) == ""


def test_odd_manifests_and_results_describe_what_they_can():
    manifest = {
        "groups": {"group.p.a": {}, "group.p.b": {"name": "b", "owner": {"email": "b@x.example"}}},
        "nodes": {
            "model.p.m": {"config": {"group": "b", "meta": None}, "tags": None},
            "test.p.t": {"attached_node": "model.p.m", "config": {"meta": {"owner": ["x", "y\n"]}}},
            "test.p.u": {"attached_node": "model.p.nosuch"},
        },
    }
    owners = [owner_of(manifest, node) for node in manifest["nodes"].values()]
    assert owners == ["b@x.example", "x, y", None]
    assert results_of({"results": None}) == results_of({"results": [{}]}) == {}
