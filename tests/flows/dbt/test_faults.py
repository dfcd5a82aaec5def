"""What happens to a run when something outside the dbt project goes wrong."""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url, text

from analytics_worker.circuit_breaker import dbt_circuit_breaker
from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.settings import settings
from flows.dbt import run_dbt_models
from flows.dbt.models import run_models
from tests.flows.dbt.seen import dbt_processes, dbt_queries, rows, task_run_names
from tests.support.wait_until import wait_until

SLOW = "select 1 as id from pg_sleep(60)"
SLOW_UNTIL_CURED = (
    "{% if execute and run_query('select to_regclass($$public.cured$$)')[0][0] is none %}"
    + SLOW
    + "{% else %} select 1 as id {% endif %}"
)


def meanwhile(action: Callable[[], None]) -> threading.Thread:
    """Do something as soon as the model ``slow`` is being built."""

    def watch() -> None:
        wait_until(lambda: any("pg_sleep" in query for query in dbt_queries()), timeout=120)
        action()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def use_database(monkeypatch: pytest.MonkeyPatch, url: URL) -> None:
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    settings.cache_clear()


def execute(statement: str) -> None:
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text(statement))


def test_at_its_time_limit_a_run_leaves_no_process_and_no_query(model):
    model("quick.sql", "select 1 as id")
    model("slow.sql", SLOW)

    state = run_dbt_models.with_options(timeout_seconds=20)(return_state=True)

    assert dbt_processes() == []
    assert dbt_queries() == []
    assert state.name in {"Partial", "Failed"}  # a slow machine may not get to the second model
    assert "limit 20 s" in str(state.message)
    assert dbt_circuit_breaker.get_stats()["failures"] == 0  # other projects may be faster
    assert rows("select error from ops.dbt_runs")[0]["error"].startswith("dbt run was stopped")


def test_after_a_restart_of_postgresql_the_next_attempt_runs_only_the_rest(
    model, postgres, monkeypatch
):
    monkeypatch.setattr(run_models, "retry_delay_seconds", [5.0, 5.0])
    model("quick.sql", "select 1 as id")
    model("slow.sql", "-- depends_on: {{ ref('quick') }}\n" + SLOW_UNTIL_CURED)
    model("after_slow.sql", "select * from {{ ref('slow') }}")

    with ThreadPoolExecutor() as threads:
        # The server would end with a thread that had started it, so the flow runs in the thread.
        run = threads.submit(copy_context().run, run_dbt_models, return_state=True)
        wait_until(lambda: any("pg_sleep" in query for query in dbt_queries()), timeout=120)
        execute("create table public.cured ()")
        postgres.stop()
        postgres.start()
        state = run.result()

    assert state.name == "Completed"
    names = task_run_names(state)
    assert [names.count(f"model {name}") for name in ("quick", "slow", "after_slow")] == [1, 2, 2]
    assert state.result()["summary"]["passed"] == 3


@pytest.mark.usefixtures("at_once")
def test_after_a_crash_of_dbt_the_next_attempt_leaves_out_what_was_done(model):
    model("quick.sql", "select 1 as id")
    model("slow.sql", "-- depends_on: {{ ref('quick') }}\n" + SLOW_UNTIL_CURED)

    def crash() -> None:
        execute("create table public.cured ()")
        for process in dbt_processes():
            process.send_signal(signal.SIGKILL)

    watching = meanwhile(crash)
    state = run_dbt_models(return_state=True)
    watching.join()

    assert state.name == "Completed"
    names = task_run_names(state)
    assert [names.count("model quick"), names.count("model slow")] == [1, 2]
    assert dbt_queries() == []


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"password": "wrong-canary"}, "password authentication failed"),
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
    ],
)
def test_a_database_that_lets_nobody_in_is_no_reason_to_try_again(
    environment, monkeypatch, caplog, changed, said
):
    use_database(monkeypatch, make_url(environment).set(**changed))

    state = run_dbt_models(return_state=True)

    assert state.name == "Failed"
    assert said in state.message
    assert "Retry 1/" not in caplog.text
    assert "wrong-canary" not in caplog.text + state.message
    assert dbt_circuit_breaker.get_stats()["failures"] == 0


@pytest.mark.usefixtures("project", "at_once")
def test_an_unreachable_database_is_tried_again_and_opens_the_circuit(
    environment, monkeypatch, tmp_path
):
    use_database(monkeypatch, make_url(environment).update_query_dict({"host": str(tmp_path)}))

    first, second = (run_dbt_models(return_state=True) for _ in range(2))

    assert first.name == "Failed"
    assert "Is the server running" in first.result(raise_on_failure=False)["error"]
    assert second.name == "CircuitOpen"
    assert dbt_circuit_breaker.get_stats()["failures"] == 3


@pytest.mark.parametrize(
    ("broken", "content", "said"),
    [
        ("dbt_project.yml", None, "DBT_PROJECT_PATH"),
        ("profiles.yml", None, "DBT_PROFILES_DIR"),
        ("profiles.yml", "tiny: { target: dev, outputs: [", "profiles.yml"),
    ],
)
def test_a_broken_project_is_said_to_be_broken(project: Path, broken, content, said):
    if content is None:
        (project / broken).unlink()
    else:
        (project / broken).write_text(content)

    state = run_dbt_models(return_state=True)

    assert state.name == "Failed"
    assert said in state.message
