"""Seeds, snapshots and packages: before the models, and as flows of their own."""

import json

import pytest
from sqlalchemy import text

from analytics_worker.circuit_breaker import dbt_circuit_breaker
from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.settings import InvalidSettingError, settings
from flows.dbt import (
    dbt_build,
    dbt_run_operation,
    dbt_seed,
    dbt_snapshot,
    run_dbt_models,
)
from flows.dbt._packages import packages_changed
from flows.dbt._workspace import workspace
from tests.flows.dbt.seen import rows, task_run_names
from tests.support.scripted_dbt import ended, manifest

SNAPSHOT = """
snapshots:
  - name: prices_history
    relation: ref('prices')
    config: { unique_key: id, strategy: check, check_cols: all }
"""
MACRO = """
{% macro note(number) %}
{% do run_query("create table public.tiny_note as select " ~ number ~ " as n; commit") %}
{% endmacro %}
{% macro other() %}{% endmacro %}
"""


@pytest.fixture
def before(monkeypatch):
    def set_steps(steps: str) -> None:
        monkeypatch.setenv("DBT_BEFORE_MODELS", steps)
        settings.cache_clear()

    return set_steps


@pytest.fixture
def write(project):
    def write_file(path: str, content: str) -> None:
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(content)

    return write_file


def statuses(state) -> dict[str, str]:
    result = state.result(raise_on_failure=False)
    return {node["unique_id"].replace(".tiny.", " "): node["status"] for node in result["results"]}


@pytest.fixture
def shop(write):
    write("seeds/prices.csv", "id,price\n1,10\n2,20\n")
    write("snapshots/prices.yml", SNAPSHOT)
    write("models/doubled.sql", "select id, price * 2 as price from {{ ref('prices') }}")
    write("models/changes.sql", "select id from {{ ref('prices_history') }}")


@pytest.mark.usefixtures("shop")
def test_packages_seeds_and_snapshots_are_ready_before_the_models(project, write, before):
    write("pack/dbt_project.yml", "name: pack\nversion: '1.0'\n")
    write("pack/macros/one.sql", "{% macro one() %}1{% endmacro %}")
    write("packages.yml", "packages: [{ local: pack }]")
    write("models/packed.sql", "select {{ pack.one() }} as n")
    before("deps,seed,snapshot")

    first = run_dbt_models(return_state=True)

    assert first.name == "Completed"
    assert statuses(first) == {
        "seed prices": "success",
        "snapshot prices_history": "success",
        "model changes": "success",
        "model doubled": "success",
        "model packed": "success",
    }
    assert "5 nodes" in first.message
    assert "seed prices" in task_run_names(first)
    assert (project / "package-lock.yml").is_file()
    assert rows("select command from ops.dbt_runs") == [{"command": "dbt run"}]
    with workspace() as folders:
        assert not packages_changed(folders)
        write("packages.yml", "packages: [{ local: ./pack }]")
        assert packages_changed(folders)


def test_a_model_that_reads_a_failed_seed_is_skipped_with_the_reason_and_others_are_run(
    write, before
):
    write("seeds/good.csv", "id\n1\n")
    write("seeds/bad.csv", "id\nnot-a-number\n")
    write("seeds/bad.yml", "seeds: [{ name: bad, config: { column_types: { id: integer } } }]")
    for seed in ("good", "bad"):
        write(f"models/reads_{seed}.sql", f"select id from {{{{ ref('{seed}') }}}}")
    write("models/bad/named_like_it.sql", "select 1 as id")
    write("models/below.sql", "select * from {{ ref('reads_bad') }}")
    write("models/not_selected.sql", "select * from {{ ref('reads_bad') }}")
    write("models/below.yml", "models: [{ name: below, config: { meta: { owner: Ann } } }]")
    before("seed")

    state = run_dbt_models(["--exclude", "not_selected"], return_state=True)

    assert state.name == "Partial"
    assert statuses(state) == {
        "seed bad": "error",
        "seed good": "success",
        "model below": "skipped",
        "model named_like_it": "success",
        "model reads_bad": "skipped",
        "model reads_good": "success",
    }
    assert "3 passed, 1 failed, 2 skipped. 2 models were not run" in state.message
    assert "below (owner: Ann), reads_bad; bad: Database Error" in state.message
    assert "not-a-number" in state.message
    messages = rows("select distinct message from ops.dbt_node_results where status = 'skipped'")
    assert messages == [{"message": "not run: it reads seed bad, which failed"}]


@pytest.mark.usefixtures("at_once")
def test_an_outage_in_a_step_is_one_and_only_what_is_left_of_the_step_is_retried(
    scripted_dbt, before
):
    before("snapshot,seed")
    results = {"results": [{"unique_id": "seed.tiny.quick", "status": "success"}]}
    left = {"run_results.json": json.dumps(results)}
    lost = ended("lost", "error", "connection refused", kind="seed")
    scripted_dbt.answers(ended("history", kind="snapshot"))
    scripted_dbt.answers(ended("quick", kind="seed"), lost, files=left)
    scripted_dbt.answers(ended("lost", kind="seed"))
    scripted_dbt.answers(ended("reader"))

    state = run_dbt_models(return_state=True)

    assert state.name == "Completed", state.message
    assert [call[0] for call in scripted_dbt.calls] == ["snapshot", "seed", "retry", "run"]
    assert dbt_circuit_breaker.get_stats()["failures"] == 0  # 1, until the retry succeeded


def test_models_of_a_step_that_failed_as_a_whole_are_counted_and_named(
    scripted_dbt, before, monkeypatch
):
    monkeypatch.setattr("flows.dbt.models.run_models.retries", 0)
    before("seed")
    models = [f"m{number:02}" for number in range(12)]
    scripted_dbt.answers(error="connection refused", files={"manifest.json": manifest(*models)})

    state = run_dbt_models(return_state=True)

    assert state.name == "Failed"
    assert "12 skipped. dbt seed, before the models: connection refused; 12 models" in state.message
    assert "m08, m09 and 2 more" in state.message
    assert dbt_circuit_breaker.get_stats()["failures"] == 1
    skipped = rows("select count(*) as n from ops.dbt_node_results where status = 'skipped'")
    assert skipped == [{"n": 12}]


def test_packages_that_cannot_be_downloaded_are_one_line_with_the_fix(write, before, monkeypatch):
    monkeypatch.setenv("DBT_PACKAGE_HUB_URL", "http://127.0.0.1:9/")
    write("packages.yml", "packages: [{ package: dbt-labs/dbt_utils, version: 1.3.0 }]")
    write("models/one.sql", "select 1 as id")
    before("deps")

    state = run_dbt_models(return_state=True)

    assert state.name == "Failed"
    assert "remove deps from DBT_BEFORE_MODELS" in state.message
    assert "\n" not in state.message
    assert rows("select status from ops.dbt_runs") == [{"status": "failed"}]


def test_an_unknown_step_is_refused_by_name(before):
    before("seeds")
    with pytest.raises(InvalidSettingError, match=r"DBT_BEFORE_MODELS.*deps, seed, snapshot"):
        settings()


@pytest.mark.usefixtures("shop")
def test_seed_snapshot_and_build_are_flows():
    seeded = dbt_seed(["--select", "prices"], return_state=True)
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text("create view tiny.reader as select price from tiny.prices"))
    taken = dbt_snapshot(return_state=True)
    built = dbt_build(["--exclude", "resource_type:snapshot"], return_state=True)

    assert [seeded.name, taken.name, built.name] == ["Completed"] * 3
    assert statuses(taken) == {"snapshot prices_history": "success"}
    assert statuses(built) == {
        "seed prices": "success",
        "model changes": "success",
        "model doubled": "success",
    }
    recorded = rows("select command from ops.dbt_runs order by started_at")
    assert [row["command"] for row in recorded] == ["dbt seed", "dbt snapshot", "dbt build"]


def test_only_allowed_macros_are_run_with_safe_arguments(write, monkeypatch):
    write("macros/note.sql", MACRO)
    monkeypatch.setenv("DBT_OPERATIONS", "note")
    settings.cache_clear()

    done = dbt_run_operation("note", {"number": 42}, return_state=True)
    failed = dbt_run_operation("note", {"count": 42}, return_state=True)
    other = dbt_run_operation("other", return_state=True)
    builtin = dbt_run_operation("run_query", {"sql": "select 1"}, return_state=True)
    attack = dbt_run_operation("note", {"number": "1; drop schema ops"}, return_state=True)

    assert done.name == "Completed"
    assert "macro 'note" in failed.message.lower() or "argument" in failed.message
    assert rows("select n from public.tiny_note") == [{"n": 42}]
    assert "'other' is not allowed; expected one of note" in other.message
    assert "'run_query' is not allowed" in builtin.message
    assert "args number: '1; drop schema ops' is not a valid value" in attack.message
