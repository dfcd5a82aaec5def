"""The private names of Prefect that the worker depends on exist, with the expected signatures."""

import ast
import inspect
import os
import re
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from prefect import flow_engine
from prefect._internal import control_listener
from prefect.workers.base import BaseWorker
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

from analytics_worker.settings import project_root
from analytics_worker.worker import prefect_internals
from analytics_worker.worker.pool_worker import PoolWorker


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # pyright: ignore[reportArgumentType]


def test_the_installed_version_is_one_that_was_checked():
    lines = (project_root() / "pyproject.toml").read_text().splitlines()
    bound = next(line.split('"')[1] for line in lines if line.strip().startswith('"prefect>='))
    previous = (project_root() / "requirements-prefect-3.8.lock").read_text()
    assert Requirement(bound).specifier == SpecifierSet(">=3.9.1,<3.10")
    assert version("prefect") in SpecifierSet(">=3.9.1,<3.10") or (
        f"prefect=={version('prefect')} " in previous
    )


@pytest.mark.parametrize("name", prefect_internals.WORKER_METHODS)
def test_the_base_worker_has_the_method(name):
    base = getattr(BaseWorker, name)
    ours = getattr(PoolWorker, name)
    if ours is not base:
        assert parameters(ours) == parameters(base)


@pytest.mark.parametrize("name", prefect_internals.WORKER_ATTRIBUTES)
def test_the_base_worker_has_the_attribute(name):
    source = inspect.getsource(BaseWorker)
    assert f"self.{name}" in source


def test_the_run_method_takes_what_ours_takes():
    assert parameters(PoolWorker.run) == parameters(ProcessWorker.run)


def test_a_configured_command_is_told_apart():
    assert "_command_configured" in ProcessJobConfiguration.__private_attributes__


def test_the_heartbeat_can_be_left_behind():
    assert "join_on_exit" in parameters(flow_engine._send_heartbeats)


def test_the_observer_of_suspensions_can_be_replaced():
    names = ["flow_run_id", "suspension_request", "polling_interval"]
    assert parameters(getattr(flow_engine, "observe_flow_run_suspension")) == names  # noqa: B009  # it is not exported
    assert "observe_flow_run_suspension(" in inspect.getsource(
        flow_engine.BaseFlowRunEngine.setup_flow_run_suspension_request
    )


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (prefect_internals.CancellationManager.cancel_by_id, ["self", "flow_run_id"]),
        (prefect_internals.ControlChannel.register, ["self", "flow_run_id"]),
        (prefect_internals.ControlChannel.get_conclusion, ["self", "flow_run_id"]),
        (prefect_internals.FlowRunExecutor.submit, ["self", "task_status"]),
        (prefect_internals.StateProposer.propose_crashed, ["self", "flow_run", "message"]),
        (
            prefect_internals.StateProposer.propose_cancelled,
            ["self", "flow_run", "state_updates"],
        ),
        (
            prefect_internals.ProcessManager.kill,
            ["self", "flow_run_id", "grace_seconds", "force"],
        ),
        (prefect_internals.run_hooks, ["hooks", "flow_run", "flow", "state"]),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_a_collaborator_is_called_as_before(function, names):
    assert parameters(function) == names


def test_the_emitter_offers_what_the_cancellation_calls():
    ours, theirs = prefect_internals.LazyEmitter, prefect_internals.EventEmitter
    for name in ("get_flow_and_deployment", "emit_flow_run_cancelled"):
        assert callable(getattr(ours, name))
        assert "flow_run" in parameters(getattr(theirs, name))


def test_a_run_can_be_told_that_it_owns_its_cancellation(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS", "false")
    try:
        prefect_internals.enable_cancellation()
        assert control_listener.get_intent() == "cancel"
    finally:
        control_listener.clear_intent()
    switch = "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"
    assert os.environ[switch] == "true"
    assert switch in inspect.getsource(flow_engine)


def private_imports(source: str) -> list[str]:
    """Modules and names of Prefect that begin with an underscore."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("prefect"):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("prefect.")]
        else:
            continue
        found += [
            name for name in names if any(re.match("_[^_]", part) for part in name.split("."))
        ]
    return found


ELSEWHERE = {  # each with a test that fails without the name
    "analytics_worker/cli/prefect.py": ["prefect.cli._utilities"],
    "analytics_worker/settings/unknown_variables.py": [
        "prefect.settings.legacy._get_valid_setting_names"
    ],
}


def test_no_other_module_of_ours_imports_a_private_name():
    folders = (project_root() / name for name in ("analytics_worker", "blocks", "flows"))
    modules = [path for folder in folders for path in folder.rglob("*.py")]
    assert len(modules) > 500
    found = {
        str(path.relative_to(project_root())): names
        for path in modules
        if path.stem != "prefect_internals" and (names := private_imports(path.read_text()))
    }
    assert found == ELSEWHERE


def test_a_private_import_is_found():
    assert private_imports("from prefect.runner._x import Y") == ["prefect.runner._x.Y"]


def test_every_private_name_that_the_pool_worker_takes_from_prefect_is_listed():
    source = inspect.getsource(PoolWorker)
    used = set(re.findall(r"(?:self|super\(\))\.(_[a-z]\w+)", source))
    overridden = {name for name in vars(PoolWorker) if hasattr(BaseWorker, name)}
    ours = set(re.findall(r"self\.(_\w+)(?:: [^=]+)? = ", source)) | set(vars(PoolWorker))
    taken = {name for name in (used - ours) | overridden if re.match("_[a-z]", name)}
    known = {"_abc_impl", "_display_name", "_description"}  # Python's, and documented ones
    listed = {*prefect_internals.WORKER_METHODS, *prefect_internals.WORKER_ATTRIBUTES}
    assert taken - known <= listed
