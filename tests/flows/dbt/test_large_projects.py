"""A run of more nodes than the limit: what it shows, logs and lists, and what it leaves to the history."""

import logging
import re

import pytest

from analytics_worker.settings import settings
from flows.dbt import _log_lines, _node_table, run_dbt_models
from flows.dbt._dbt_artifacts import unfinished_node
from tests.flows.dbt.seen import artifact_rows, rows, task_run_names

MODELS, LIMIT = 12, 5


@pytest.fixture
def large(model, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project of more models than the limit: one is slow, one fails, one reads the failing one."""
    monkeypatch.setenv("DBT_NODE_TASK_RUNS", str(LIMIT))
    settings.cache_clear()
    for number in range(MODELS - 3):
        model(f"quick_{number}.sql", "select 1 as id")
    model("slow.sql", "select 1 as id from pg_sleep(2)")
    model("bad.sql", "select 1 / 0 as id")
    model("after_bad.sql", "select * from {{ ref('bad') }}")


@pytest.mark.usefixtures("large")
def test_a_large_run_shows_the_failed_and_the_slowest_nodes_and_logs_its_progress(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("flows.dbt._nodes.SLOWEST", 1)
    monkeypatch.setattr(_log_lines, "NODES_PER_LINE", 4)
    monkeypatch.setattr(_node_table, "ROWS", 6)

    state = run_dbt_models(return_state=True)

    result = state.result(raise_on_failure=False)
    assert (state.name, len(result["results"])) == ("Partial", MODELS)
    shown = {name for name in task_run_names(state) if name.startswith("model ")}
    assert shown == {"model bad", "model slow"}
    table = artifact_rows(state)
    assert [row["node"] for row in table[:3]] == ["model bad", "model after_bad", "model slow"]
    assert len(table) == 6
    assert rows("select count(*) as n from ops.dbt_node_results")[0]["n"] == MODELS
    progress = re.findall(r"(\d+) of 12 nodes done, 1 failed", caplog.text)
    assert progress
    assert set(progress) <= {"4", "8", "12"}
    assert "division by zero" in caplog.text
    assert "quick_1" not in re.sub(r"running: .*", "", caplog.text)


@pytest.mark.usefixtures("large")
def test_failed_nodes_beyond_the_limit_have_no_task_run(model, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("flows.dbt._nodes.SLOWEST", 0)
    monkeypatch.setattr(_log_lines, "PROBLEM_LINES", 3)
    for number in range(MODELS - 3):
        model(f"quick_{number}.sql", "select 1 / 0 as id")

    state = run_dbt_models(return_state=True)

    assert state.result(raise_on_failure=False)["summary"]["failed"] == MODELS - 2
    assert sum(name.startswith("model ") for name in task_run_names(state)) == LIMIT


def test_problems_are_logged_up_to_a_number_and_then_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_log_lines, "get_run_logger", lambda: logging.getLogger("dbt"))
    caplog.set_level(logging.INFO)
    lines = _log_lines.LogLines()

    for number in range(_log_lines.PROBLEM_LINES + 7):
        lines.write("warn", f"deprecation {number}")
    lines.close()

    assert caplog.text.count("deprecation") == _log_lines.PROBLEM_LINES
    assert "7 more warnings of dbt are not shown" in caplog.text


def test_a_table_is_cut_by_its_size_too():
    node = unfinished_node("model.a.b", "x" * 500)

    shown, left_out = _node_table.node_table([node] * 999)

    assert 0 < left_out < len(shown)
