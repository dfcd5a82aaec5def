"""Another dbt runs the commands, and a program that is no good dbt never makes a run green."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.logging import disable_run_logger

from analytics_worker.settings import settings
from flows.dbt import dbt_build, dbt_seed, run_dbt_models
from flows.dbt._dbt_artifacts import DbtOutcome
from flows.dbt._runner import run_dbt
from flows.dbt._workspace import Workspace
from tests.flows.dbt.seen import dbt_queries, rows, task_run_names
from tests.support.scripts import PYTHON, write_program

DBT = Path(sys.executable).with_name("dbt")
Installer = Callable[..., Path]


@pytest.fixture
def install(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installer:  # noqa: ARG001  # settings point at the project
    """Make a script the executable, in a folder with a space in its name."""

    def write(script: str, name: str = "my dbt") -> Path:
        folder = tmp_path / "other place"
        folder.mkdir(exist_ok=True)
        path = write_program(folder / name, script)
        monkeypatch.setenv("DBT_EXECUTABLE", str(path))
        settings.cache_clear()
        return path

    return write


@pytest.fixture
def wrapper(install: Installer, tmp_path: Path) -> Path:
    """A wrapper of the installed dbt, which answers at once what version it is."""
    calls = tmp_path / "calls"
    install(
        "#!/bin/sh\n"
        'if [ "$1" = --version ]; then echo "  - installed: 1.11.16"; exit; fi\n'
        f'echo "$@" >> "{calls}"\n'
        f'exec "{DBT}" "$@"\n'
    )
    return calls


def test_another_executable_builds_and_reports_each_node(model: Any, wrapper: Path):
    model("one.sql", "select 1 as id")
    model("two.sql", "select id from {{ ref('one') }}")
    model("broken.sql", "select 1 / 0 as id")
    model("below.sql", "select * from {{ ref('broken') }}")
    model("all.yml", "models: [{name: one, columns: [{name: id, data_tests: [not_null]}]}]")

    state = dbt_build(return_state=True)

    assert state.name == "Partial"
    result = state.result(raise_on_failure=False)
    found = {node["name"].split(".")[0]: node["status"] for node in result["results"]}
    assert found["one"] == found["two"] == "success"
    assert (found["broken"], found["below"], found["not_null_one_id"]) == (
        "error",
        "skipped",
        "pass",
    )
    assert "division by zero" in result["errors"][0]["message"]
    names = task_run_names(state)
    assert {"model one", "model two", "model broken", "model below"} <= set(names)
    assert rows("select count(*) as n from tiny.two")[0]["n"] == 1
    assert rows("select count(*) as n from ops.dbt_node_results")[0]["n"] == 5
    assert "--log-format json" in wrapper.read_text()


def test_a_time_limit_ends_dbt_and_its_queries(model: Any, wrapper: Path):  # noqa: ARG001  # the executable
    model("slow.sql", "select 1 as id from pg_sleep(60)")
    state = run_dbt_models.with_options(timeout_seconds=16)(return_state=True)
    assert state.name == "Failed"
    assert "limit 16 s" in str(state.message)
    assert dbt_queries() == []


RESULTS = """
import datetime, json, pathlib, sys, time
if "--version" in sys.argv:
    print("dbt 1.11.0")
    sys.exit()
target = pathlib.Path(sys.argv[sys.argv.index("--target-path") + 1])
def event(name, level="info", **data):
    info = {"name": name, "level": level, "msg": name, "invocation_id": "this"}
    print(json.dumps({"info": info, "data": data}), flush=True)
def results(*statuses, of="this", at=None, name="run_results.json"):
    at = at or datetime.datetime.now(datetime.UTC).isoformat()
    found = [{"unique_id": f"model.tiny.m{n}", "status": s} for n, s in enumerate(statuses)]
    metadata = {"generated_at": at, "invocation_id": of}
    (target / name).write_text(json.dumps({"metadata": metadata, "results": found}))
def odd(result):
    file = target / "run_results.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "results": [result]}))
"""
GOOD = "event('ConcurrencyLine', node_count=1); results('success')"
BAD = {
    "no artifact": ("event('Done')", "wrote no run_results.json"),
    "no output": ("pass", "wrote no run_results.json"),
    "old artifact": ("results('success', at='2026-01-01T00:00:00Z')", "not of this run"),
    "artifact without a time": ("results('success', at='soon')", "not of this run"),
    "another invocation": ("event('Done'); results('success', of='other')", "another invocation"),
    "no JSON": ("(target / 'run_results.json').write_text('{')", "not of this run"),
    "odd JSON": (
        "results(); odd(1)",
        "can't be read",
    ),
    "missing nodes": ("event('ConcurrencyLine', node_count=3); results('success')", "2 nodes of 3"),
    "exit 1 without a failure": (
        "event('HookError', 'error'); results('success'); sys.exit(1)",
        "HookError",
    ),
    "exit 2": ("event('MainEncounteredError', 'error'); sys.exit(2)", "MainEncounteredError"),
    "usage": (
        "print('Usage: dbt run\\n\\nError: No such option: --x'); sys.exit(2)",
        "No such option",
    ),
    "odd events": (
        "event('LogStartLine', node_info={'unique_id': 7}); event('X', node_info=3)",
        "",
    ),
}


def fake(install: Installer, body: str) -> None:
    install(f"{PYTHON}{RESULTS}\n{body}\n")


def outcome_of(folder: Path, seconds: float = 60) -> DbtOutcome:
    """The outcome of `dbt run`, without a flow."""
    workspace = Workspace(settings().dbt_project_path, settings().profiles_dir, folder)
    workspace.target.mkdir(exist_ok=True)
    deadline = time.monotonic() + seconds
    with disable_run_logger():
        return run_dbt(["run"], [], workspace, name="dbt:x", deadline=deadline, shows_nodes=False)


def test_a_fake_that_does_its_work_is_believed(install: Installer):
    fake(install, GOOD)
    state = run_dbt_models(return_state=True)
    assert (state.name, "1 passed" in str(state.message)) == ("Completed", True)


IN_FLOWS = ("no artifact", "exit 1 without a failure", "usage")


@pytest.mark.parametrize(("body", "said"), [BAD[name] for name in IN_FLOWS], ids=IN_FLOWS)
def test_success_without_proof_is_a_failure(install: Installer, body: str, said: str):
    fake(install, body)
    state = run_dbt_models(return_state=True)
    assert state.name == ("Partial" if "success" in body else "Failed")
    assert said in str(state.message)


@pytest.mark.parametrize(("body", "said"), BAD.values(), ids=BAD.keys())
def test_what_proves_nothing(install: Installer, tmp_path: Path, body: str, said: str):
    fake(install, body)
    outcome = outcome_of(tmp_path)
    assert said in str(outcome.error)
    assert not any(node["status"] == "success" for node in outcome.nodes.values()) or outcome.error


def test_results_of_an_earlier_attempt_do_not_count(install: Installer, tmp_path: Path):
    fake(install, GOOD)
    assert outcome_of(tmp_path).error is None
    fake(install, "pass")
    assert "wrote no run_results.json" in str(outcome_of(tmp_path).error)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import os; results('success'); os.kill(os.getpid(), 9)", "killed by signal 9"),
        ("print('out of memory'); results('success'); sys.exit(137)", "out of memory"),
    ],
)
def test_a_killed_dbt_is_a_crash(install: Installer, tmp_path: Path, body: str, said: str):
    fake(install, body)
    outcome = outcome_of(tmp_path)
    assert outcome.crashed
    assert said in str(outcome.service_failure)


@pytest.mark.parametrize(
    "body",
    [
        "while True: print('x' * 100_000, end='')",
        "while True: event('Note')",
        "while True: print('x', file=sys.stderr)",
    ],
)
def test_endless_output_ends_with_the_time_limit(install: Installer, tmp_path: Path, body: str):
    fake(install, f"results('success')\n{body}")
    outcome = outcome_of(tmp_path, seconds=2)
    assert outcome.timed_out


def test_a_refusal_changes_nothing(install: Installer):
    path = install("#!/bin/sh\n")
    path.chmod(0o600)
    state = dbt_seed(return_state=True)
    assert state.name == "Failed"
    assert "chmod +x" in str(state.message)
    assert rows("select count(*) as n from ops.dbt_runs")[0]["n"] == 0
