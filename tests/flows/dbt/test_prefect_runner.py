"""`DBT_RUNNER=prefect`: our results, prefect-dbt's task runs and lineage; and the faults of prefect-dbt's runner."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.settings import PREFECT_LOGGING_LEVEL, get_current_settings, temporary_settings
from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings
from prefect_dbt.utilities import kwargs_to_args
from sqlalchemy import text

from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.database.dbt_environment import dbt_environment
from analytics_worker.settings import project_root, settings
from flows.dbt import dbt_freshness_check, run_dbt_models
from flows.dbt.models import run_models
from tests.flows.dbt.seen import dbt_queries, rows, task_run_names
from tests.support.wait_until import wait_until

SLOW_UNTIL_CURED = (
    "{% if execute and run_query('select to_regclass($$public.cured$$)')[0][0] is none %}"
    "{% do run_query('create table public.cured (); commit; begin') %}"
    "select 1 as id from pg_terminate_backend(pg_backend_pid())"
    "{% else %} select 1 as id {% endif %}"
)
STALE = """
sources:
  - name: crm
    schema: public
    config: { loaded_at_field: "'2020-01-01'::timestamp", freshness: { error_after: { count: 1, period: day } } }
    tables: [{ name: stale }]
"""


@pytest.fixture
def runner(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let prefect-dbt's runner run dbt in the project."""
    monkeypatch.setenv("DBT_RUNNER", "prefect")
    monkeypatch.setenv("DBT_NODE_TASK_RUNS", "1")
    settings.cache_clear()
    return project


def asset_events() -> list[dict[str, Any]]:
    """Materializations and references of assets that reached the server."""
    prefixes = {"filter": {"event": {"prefix": ["prefect.asset."]}}, "limit": 50}
    with get_client(sync_client=True) as client:
        return client.request("POST", "/events/filter", json=prefixes).json()["events"]


@pytest.mark.usefixtures("runner")
def test_a_run_has_our_results_and_task_runs_and_lineage_of_prefect_dbt(model, caplog):
    model("good.sql", "select 1 as id")
    model("reader.sql", "select * from {{ ref('good') }}")
    model("bad.sql", "select 1 / 0 as id")
    model("after_bad.sql", "select * from {{ ref('bad') }}")

    state = run_dbt_models(return_state=True)

    result = state.result(raise_on_failure=False)
    statuses = {"good": "success", "reader": "success", "bad": "error", "after_bad": "skipped"}
    assert {node["name"]: node["status"] for node in result["results"]} == statuses
    assert rows("select count(*) as n from ops.dbt_node_results")[0]["n"] == len(statuses)
    assert "Retry 1/" not in caplog.text
    # One task run per node, independent of DBT_NODE_TASK_RUNS.
    assert {"model good", "model reader", "model bad"} <= set(task_run_names(state))
    wait_until(lambda: any(_reads(event, "good") for event in asset_events()), timeout=60)


def _reads(event: dict[str, Any], name: str) -> bool:
    upstream = [item["prefect.resource.id"] for item in event["related"]]
    return any(key.endswith(f"/{name}") for key in upstream)


@pytest.mark.usefixtures("runner")
def test_a_second_attempt_runs_only_the_rest(model, caplog, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run_models, "retry_delay_seconds", [0.0, 0.0])
    monkeypatch.setattr(run_models, "retry_jitter_factor", None)
    model("quick.sql", "select 1 as id")
    model("slow.sql", "-- depends_on: {{ ref('quick') }}\n" + SLOW_UNTIL_CURED)

    state = run_dbt_models(return_state=True)

    assert state.name == "Completed", state.message
    assert {node["status"] for node in state.result()["results"]} == {"success"}
    assert "Retrying without 1 nodes that already succeeded" in caplog.text
    assert task_run_names(state).count("model quick") == 1


@pytest.mark.usefixtures("runner")
def test_a_stale_source_is_a_result_but_has_no_task_run(model):
    model("sources.yml", STALE)
    _execute("create table public.stale ()")

    state = dbt_freshness_check(return_state=True)

    assert [error["name"] for error in state.result(raise_on_failure=False)["errors"]] == [
        "crm.stale"
    ]
    assert not any("stale" in name for name in task_run_names(state))


@pytest.mark.usefixtures("runner")
def test_at_its_time_limit_a_run_leaves_no_query(model):
    model("slow.sql", "select 1 as id from pg_sleep(60)")

    state = run_dbt_models.with_options(timeout_seconds=20)(return_state=True)

    assert "limit 20 s" in str(state.message)
    assert dbt_queries() == []


def test_fault_a_log_level_of_prefect_that_dbt_has_not_breaks_the_settings():
    with (
        temporary_settings({PREFECT_LOGGING_LEVEL: "WARNING"}),
        pytest.raises(ValueError, match="'warning' is not a valid EventLevel"),
    ):
        PrefectDbtSettings()


def test_fault_of_several_selections_only_the_last_is_kept():
    arguments = ["run", "--select", "a", "--select", "b"]
    assert kwargs_to_args({}, arguments) == ["run", "--select", "b"]


def test_fault_the_log_level_none_of_dbt_is_refused(tmp_path: Path):
    runner = PrefectDbtRunner(settings=PrefectDbtSettings(project_dir=tmp_path))
    with pytest.raises(ValueError, match="none"):
        runner.invoke(["parse", "--log-level", "none"])


def test_fault_a_retry_does_not_read_the_state_that_it_is_given(tmp_path: Path):
    (tmp_path / "previous").mkdir()
    (tmp_path / "previous/run_results.json").write_text("{}")
    runner = PrefectDbtRunner(settings=PrefectDbtSettings(project_dir=tmp_path))
    with pytest.raises(ValueError, match="No previous results"):
        runner.invoke(["retry", "--state", str(tmp_path / "previous")])


def test_fault_a_stale_source_is_an_assertion_error(project: Path, model):
    model("sources.yml", STALE)
    _execute("create table public.stale ()")

    process = _invoke_alone(project, "source", "freshness")

    assert "AssertionError: Expected run execution result" in process.communicate()[0]


def test_fault_outside_of_a_child_of_ours_a_killed_run_leaves_its_query(project: Path, model):
    model("slow.sql", "select 1 as id from pg_sleep(30)")
    process = _invoke_alone(project, "run")
    wait_until(lambda: any("pg_sleep" in query for query in _queries()), timeout=120)

    process.send_signal(signal.SIGTERM)
    process.communicate()

    assert any("pg_sleep" in query for query in _queries())
    _execute("select pg_terminate_backend(pid) from pg_stat_activity where query ~ 'pg_sleep.30'"
             " and pid <> pg_backend_pid()")  # fmt: skip


def _invoke_alone(project: Path, *arguments: str) -> subprocess.Popen[str]:
    """Run a command through prefect-dbt's runner as its documentation shows."""
    program = (
        "import sys, json; from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings as S;"
        "PrefectDbtRunner(settings=S(project_dir=sys.argv[1], profiles_dir=sys.argv[1]))"
        ".invoke(json.loads(sys.argv[2]))"
    )
    return subprocess.Popen(
        [sys.executable, "-P", "-c", program, str(project), json.dumps(arguments)],
        cwd=project_root(),
        env={
            **os.environ,
            **dbt_environment(),
            "PREFECT_API_URL": str(get_current_settings().api.url),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _queries() -> list[str]:
    active = (
        "select query from pg_stat_activity where state = 'active' and datname = current_database()"
    )
    return [row["query"] for row in rows(active)]


def _execute(statement: str) -> None:
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text(statement))
