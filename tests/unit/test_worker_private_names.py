"""The private names of Prefect that the worker leans on are still there, shaped as it needs them."""

import inspect
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from prefect import flow_engine
from prefect.workers.base import BaseWorker
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

from toolkit.settings import project_root
from worker import prefect_private
from worker.pool_worker import PoolWorker


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # pyright: ignore[reportArgumentType]


def test_the_installed_version_is_the_one_that_was_checked():
    lines = (project_root() / "pyproject.toml").read_text().splitlines()
    bound = next(line.split('"')[1] for line in lines if line.strip().startswith('"prefect>='))
    assert Requirement(bound).specifier == SpecifierSet(">=3.8.8,<3.9")
    assert version("prefect") in SpecifierSet(">=3.8.8,<3.9")


@pytest.mark.parametrize("name", prefect_private.WORKER_METHODS)
def test_the_base_worker_has_the_method(name):
    base = getattr(BaseWorker, name)
    ours = getattr(PoolWorker, name)
    if ours is not base:
        assert parameters(ours) == parameters(base)


@pytest.mark.parametrize("name", prefect_private.WORKER_ATTRIBUTES)
def test_the_base_worker_has_the_attribute(name):
    source = inspect.getsource(BaseWorker)
    assert f"self.{name}" in source


def test_the_run_method_takes_what_ours_takes():
    assert parameters(PoolWorker.run) == parameters(ProcessWorker.run)


def test_a_configured_command_is_told_apart():
    assert "_command_configured" in ProcessJobConfiguration.__private_attributes__


def test_the_heartbeat_can_be_left_behind():
    assert "join_on_exit" in parameters(flow_engine._send_heartbeats)


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (prefect_private.CancellationManager.cancel_by_id, ["self", "flow_run_id"]),
        (prefect_private.ControlChannel.register, ["self", "flow_run_id"]),
        (prefect_private.ControlChannel.get_conclusion, ["self", "flow_run_id"]),
        (prefect_private.FlowRunExecutor.submit, ["self", "task_status"]),
        (prefect_private.StateProposer.propose_crashed, ["self", "flow_run", "message"]),
        (
            prefect_private.StateProposer.propose_cancelled,
            ["self", "flow_run", "state_updates"],
        ),
        (
            prefect_private.ProcessManager.kill,
            ["self", "flow_run_id", "grace_seconds", "force"],
        ),
        (prefect_private.run_hooks, ["hooks", "flow_run", "flow", "state"]),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_a_collaborator_is_called_as_before(function, names):
    assert parameters(function) == names


def test_the_emitter_offers_what_the_cancellation_calls():
    ours, theirs = prefect_private.LazyEmitter, prefect_private.EventEmitter
    for name in ("get_flow_and_deployment", "emit_flow_run_cancelled"):
        assert callable(getattr(ours, name))
        assert "flow_run" in parameters(getattr(theirs, name))
