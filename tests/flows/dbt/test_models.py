"""`dbt run` as a flow: what it builds, returns, shows in Prefect and keeps."""

from prefect import get_client

from analytics_worker.circuit_breaker import dbt_circuit_breaker
from flows.dbt import run_dbt_models, run_dbt_tests
from tests.flows.dbt.seen import artifact_rows, rows, task_run_names

TESTED = """
models:
  - name: numbers
    columns:
      - name: id
        data_tests:
          - unique
          - accepted_values: { arguments: { values: [1, 2] } }
          - accepted_values:
              name: none_above_one
              arguments: { values: [1] }
              config: { severity: warn }
"""


def test_models_and_tests_are_run_reported_shown_and_kept(model, caplog):
    model("numbers.sql", "select 1 as id union all select 2")
    model("doubled.sql", "select id * 2 as twice from {{ ref('numbers') }}")
    model("numbers.yml", TESTED)

    built = run_dbt_models(["--models", "numbers", "doubled"], return_state=True)
    tested = run_dbt_tests(return_state=True)

    result = built.result()
    assert (built.name, result["status"], result["errors"]) == ("Completed", "success", [])
    assert {node["name"]: (node["status"], node["rows"]) for node in result["results"]} == {
        "numbers": ("success", 2),
        "doubled": ("success", 2),
    }
    assert {**result["summary"], "seconds": 0} == {
        "executed": 2, "passed": 2, "warned": 0, "failed": 0, "skipped": 0, "seconds": 0
    }  # fmt: skip
    assert tested.name == "Completed"
    assert tested.result()["summary"]["warned"] == 1
    assert "none_above_one" in caplog.text

    assert {"model doubled", "model numbers"} < set(task_run_names(built))
    assert "test none_above_one" in task_run_names(tested)
    assert [row["status"] for row in artifact_rows(built)] == ["success", "success"]
    kept = rows("select command, args, status, executed from ops.dbt_runs order by started_at")
    assert [tuple(row.values()) for row in kept] == [
        ("dbt run", ["--select", "numbers", "doubled"], "success", 2),
        ("dbt test", [], "success", 3),
    ]
    assert rows("select count(*) as n from ops.dbt_node_results")[0]["n"] == 5
    assert caplog.text.count("Starting full parse") == 1  # the second command started warm


def test_a_failing_model_makes_the_run_partial_without_another_attempt(model):
    model("good.sql", "select 1 as id")
    model("bad.sql", "select 1 / 0 as id")
    model("after_bad.sql", "select * from {{ ref('bad') }}")

    state = run_dbt_models(return_state=True)

    result = state.result(raise_on_failure=False)
    assert (state.type.value, state.name, result["status"]) == ("FAILED", "Partial", "partial")
    assert {node["name"]: node["status"] for node in result["results"]} == {
        "good": "success",
        "bad": "error",
        "after_bad": "skipped",
    }
    assert [error["name"] for error in result["errors"]] == ["bad"]
    assert "division by zero" in result["error"]
    assert task_run_names(state).count("model bad") == 1
    assert dbt_circuit_breaker.get_stats()["failures"] == 0


def test_a_selection_that_matches_nothing_is_an_error_that_names_it(model):
    model("good.sql", "select 1 as id")

    state = run_dbt_models(["-m", "nosuch"], return_state=True)

    assert state.name == "Failed"
    assert "nosuch" in state.message


def test_the_lists_of_the_form_select_models_and_the_run_is_named_after_them(model):
    model("good.sql", "select 1 as id")
    model("bad.sql", "select 1 / 0 as id")
    model("other.sql", "select 2 as id")

    state = run_dbt_models(select=["good", "bad", "other"], exclude=["other"], return_state=True)

    result = state.result(raise_on_failure=False)
    assert {node["name"] for node in result["results"]} == {"good", "bad"}
    with get_client(sync_client=True) as client:
        name = client.read_flow_run(state.state_details.flow_run_id).name
    assert name == "dbt run: good, bad, other (1 of 2 failed)"
