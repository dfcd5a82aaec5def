"""One run at a time: it waits for others, visibly, and keeps the lock for all its attempts."""

import threading
from typing import Any

import pytest
from prefect.context import FlowRunContext
from sqlalchemy import text

from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.prefect_support.results import flow_result
from analytics_worker.settings import settings
from flows.dbt import run_dbt_models
from flows.dbt._attempts import flow_limit_seconds
from flows.dbt._flow import dbt_flow
from flows.dbt._lock import DbtLock, DbtRunningError
from tests.flows.dbt.seen import rows
from tests.support.scripted_dbt import ScriptedDbt, ended
from tests.support.wait_until import wait_until

DEADLOCK = ended("slow", "error", "Database Error in model slow: deadlock detected")


@pytest.fixture
def held(project):  # noqa: ARG001  # its database
    """The lock, held by another run; the test may release it."""
    with DbtLock() as lock:
        lock.acquire()
        yield lock


def lock_wait(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    monkeypatch.setenv("DBT_LOCK_WAIT_SECONDS", str(seconds))
    settings.cache_clear()


@pytest.mark.usefixtures("at_once")
def test_no_other_run_gets_a_turn_between_two_attempts(scripted_dbt: ScriptedDbt, monkeypatch):
    scripted_dbt.answers(ended("quick"), DEADLOCK)
    scripted_dbt.answers(ended("slow"))
    refused: list[str] = []
    acquire = DbtLock.acquire

    def acquire_after_another(lock: DbtLock) -> None:
        if scripted_dbt.calls:  # between the attempts
            with DbtLock() as other, pytest.raises(DbtRunningError) as error:
                acquire(other)
            refused.append(str(error.value))
        acquire(lock)

    monkeypatch.setattr(DbtLock, "acquire", acquire_after_another)
    state = run_dbt_models(return_state=True)

    assert state.name == "Completed"
    assert len(refused) == 1
    assert "run-dbt-models:" in refused[0]
    assert [node["name"] for node in state.result()["results"]] == ["quick", "slow"]


@pytest.mark.usefixtures("at_once")
def test_the_nodes_of_the_first_attempt_stay_if_another_run_gets_the_lock(
    scripted_dbt: ScriptedDbt, monkeypatch
):
    """The session of the lock is ended, as by a restart of the server, and another run is faster."""
    lock_wait(monkeypatch, 0)
    scripted_dbt.answers(ended("quick"), DEADLOCK)
    acquire, others = DbtLock.acquire, DbtLock()

    def acquire_too_late(lock: DbtLock) -> None:
        if scripted_dbt.calls:
            with direct_connection(warehouse_url()) as connection:
                connection.execute(
                    text(
                        "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
                        " where application_name like 'run-dbt-models:%' and datname = current_database()"
                    )
                )
            acquire(others)
        acquire(lock)

    monkeypatch.setattr(DbtLock, "acquire", acquire_too_late)
    with others:
        state = run_dbt_models(return_state=True)

    assert state.name == "Partial"
    assert "dbt is already running" in state.message
    (run,) = rows("select status, passed, failed from ops.dbt_runs")
    assert tuple(run.values()) == ("partial", 1, 1)


def test_a_run_waits_until_the_other_one_ends(scripted_dbt: ScriptedDbt, held: DbtLock, caplog):
    scripted_dbt.answers(ended("quick"))

    def release() -> None:
        wait_until(lambda: "Waiting for 0 s" in caplog.text, timeout=60)
        held.__exit__(None, None, None)

    thread = threading.Thread(target=release)
    thread.start()
    state = run_dbt_models(return_state=True)
    thread.join()

    assert state.name == "Completed"
    assert "analytics-worker (process " in caplog.text


@pytest.mark.usefixtures("held")
def test_a_run_that_waited_too_long_fails_and_is_recorded(scripted_dbt: ScriptedDbt, monkeypatch):
    lock_wait(monkeypatch, 0)

    state = run_dbt_models(return_state=True)

    assert (state.type.value, state.name) == ("FAILED", "Failed")
    assert "not started after waiting 0 s: dbt is already running" in state.message
    assert "analytics-worker (process " in state.message
    assert [run["status"] for run in rows("select status from ops.dbt_runs")] == ["failed"]
    assert scripted_dbt.calls == []


def test_the_wait_does_not_count_for_the_time_limit_of_dbt(
    prefect_api,  # noqa: ARG001  # the server of the run
    monkeypatch,
):
    lock_wait(monkeypatch, 500)

    @dbt_flow(timeout_seconds=100)
    def limits() -> Any:
        context = FlowRunContext.get()
        assert context
        assert context.flow
        values = f"{context.flow.timeout_seconds:g} {flow_limit_seconds():g}"
        return flow_result("success", values)

    assert limits()["message"] == "600 100"
    assert limits.with_options(timeout_seconds=20)()["message"] == "520 20"
    assert limits.with_options(name="other")()["message"] == "600 100"
    assert run_dbt_models.with_options(name="other").timeout_seconds == 3600
