"""The result of a run: texts of every kind, and artifacts that dbt left incomplete."""

import json

import pytest

from analytics_worker.circuit_breaker import dbt_circuit_breaker
from flows.dbt import _attempts, dbt_freshness_check, run_dbt_models, run_dbt_tests
from flows.dbt._workspace import Workspace
from tests.flows.dbt.seen import rows, task_run_names
from tests.support.scripted_dbt import ScriptedDbt, ended, manifest

pytestmark = pytest.mark.usefixtures("at_once")
NUL, SURROGATE = chr(0), chr(0xD800)


def test_texts_that_postgresql_does_not_take_are_cleaned_and_recorded(scripted_dbt: ScriptedDbt):
    node = ended(f"a{SURROGATE}", "error", f"x{NUL}y{SURROGATE}z")
    scripted_dbt.answers(node, error=f"Compilation Error{NUL}{SURROGATE}")

    state = run_dbt_models(return_state=True)

    assert state.name == "Failed"
    assert rows("select name, message from ops.dbt_node_results") == [
        {"name": "a�", "message": "x�y�z"}
    ]
    assert rows("select error from ops.dbt_runs")[0]["error"].startswith("Compilation Error��")


def test_names_and_messages_with_braces_are_no_templates(scripted_dbt: ScriptedDbt):
    start = {
        "event": "start",
        "node": {
            "unique_id": "test.tiny.amount_{usd}_is_unique.0123abcdef",
            "node_name": "amount_{usd}_is_unique",
            "resource_type": "test",
        },
    }
    failed = ended(
        "amount_{usd}_is_unique.0123abcdef", "fail", "Got {0} {usd} {{ x }} %s", kind="test"
    )
    scripted_dbt.answers(start, failed)

    state = run_dbt_tests(return_state=True)

    assert state.name == "Failed"
    assert "amount_{usd}_is_unique: Got {0} {usd} {{ x }} %s" in state.message
    assert "test amount_{usd}_is_unique" in task_run_names(state)
    assert len(scripted_dbt.calls) == 1


@pytest.mark.parametrize("artifact", ["", '{"results": [{"unique_id": "model.ti'])
def test_without_a_readable_artifact_the_events_are_the_result(
    scripted_dbt: ScriptedDbt, artifact, caplog
):
    scripted_dbt.answers(ended("a"), ended("b"), files={"run_results.json": artifact})

    state = run_dbt_models(return_state=True)

    assert (state.name, state.result()["summary"]["passed"]) == ("Completed", 2)
    assert "run_results.json of dbt can't be read" in caplog.text
    assert len(scripted_dbt.calls) == 1


def test_a_retry_after_a_truncated_artifact_leaves_out_what_is_done(scripted_dbt: ScriptedDbt):
    left = {"run_results.json": '{"results"', "manifest.json": manifest("a", "b")}
    scripted_dbt.answers(ended("a"), ended("b", "error", "deadlock detected"), files=left)
    scripted_dbt.answers(ended("b"))

    assert run_dbt_models(return_state=True).name == "Completed"
    first, second = scripted_dbt.calls
    assert (first[0], second[:3]) == ("run", ["run", "--exclude", "fqn:tiny.a"])


def test_a_retry_has_the_options_that_the_project_needs(scripted_dbt: ScriptedDbt, project):
    (project / "dbt_project.yml").write_text("vars: { layer: x }")
    results = [{"unique_id": "model.tiny.a", "status": "success"}]
    left = {"run_results.json": json.dumps({"results": results})}
    scripted_dbt.answers(ended("a"), ended("b", "error", "deadlock detected"), files=left)
    scripted_dbt.answers(ended("b"))
    options = ["--vars", '{"layer": "y"}', "--target", "dev", "--threads", "2", "--warn-error"]

    assert run_dbt_models([*options, "--full-refresh"], return_state=True).name == "Completed"
    assert scripted_dbt.calls[1][: len(options) + 2] == ["retry", *options, "--state"]


def test_a_parse_cache_that_can_not_be_stored_is_a_warning(
    scripted_dbt: ScriptedDbt, project, caplog
):
    cache = Workspace(project, project, project).shared_cache
    cache.parent.parent.mkdir(parents=True, exist_ok=True)
    cache.parent.write_text("a file, where the folder of the cache should be")
    scripted_dbt.answers(ended("a"), files={"partial_parse.msgpack": "cache"})

    assert run_dbt_models(return_state=True).name == "Completed"
    assert "could not store the parse cache" in caplog.text
    assert len(scripted_dbt.calls) == 1


@pytest.mark.parametrize("flow", [run_dbt_tests, dbt_freshness_check])
def test_nothing_to_do_is_a_success(scripted_dbt: ScriptedDbt, flow):
    scripted_dbt.answers(files={"manifest.json": manifest()})
    state = flow(return_state=True)
    assert state.name == "Completed"
    assert "nothing to do" in state.message


def test_a_long_error_is_one_line_in_the_state_and_complete_in_an_artifact(
    scripted_dbt: ScriptedDbt, monkeypatch
):
    published: dict[str, str] = {}
    monkeypatch.setattr(
        "flows.dbt._flow_result.create_markdown_artifact",
        lambda key, markdown, description: published.update({key: markdown}),  # noqa: ARG005
    )
    scripted_dbt.answers(error="Compilation Error\n" + "in model x\n" * 5000)

    state = run_dbt_models(return_state=True)

    assert len(str(state.message)) <= 500
    assert "\n" not in str(state.message)
    assert published["dbt-run-models-error"].count("in model x") == 5000


@pytest.mark.parametrize("error", [KeyError("usd"), ValueError("JSON"), OSError(28, "disk full")])
def test_an_error_of_ours_is_no_evidence_against_dbt(scripted_dbt: ScriptedDbt, monkeypatch, error):
    def fail(*_: object) -> None:
        raise error

    scripted_dbt.answers(ended("a"))
    monkeypatch.setattr(_attempts, "_raise_failure", fail)
    monkeypatch.setattr("flows.dbt.models.run_models.retries", 0)
    assert run_dbt_models(return_state=True).name == "Failed"
    assert dbt_circuit_breaker.get_stats()["failures"] == 0


@pytest.mark.parametrize(
    ("message", "failures"), [("deadlock detected", 0), ("connection refused", 1)]
)
def test_only_an_unavailable_warehouse_counts_for_the_breaker(
    scripted_dbt: ScriptedDbt, monkeypatch, message, failures
):
    monkeypatch.setattr("flows.dbt.models.run_models.retries", 0)
    scripted_dbt.answers(ended("a", "error", message))
    run_dbt_models(return_state=True)
    assert dbt_circuit_breaker.get_stats()["failures"] == failures
