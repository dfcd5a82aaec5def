"""The worker as its users meet it: one command, then the UI, the CLI, Python, and the database."""

import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from prefect import get_client
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.states import Cancelling

from analytics_worker.prefect_support.runs import submit
from tests.acceptance.alerts_of_stack import (
    ERASURES_DONE,
    ERASURES_LATE,
    TOKEN,
    Receivers,
    emit,
    evaluate_until,
    receivers,
    run_of,
    set_kpi,
)
from tests.acceptance.reports_of_stack import STORIES
from tests.support.attacks import attack
from tests.support.dbt_fixtures import dbt_processes, dbt_queries
from tests.support.stack import RunningStack
from tests.support.wait_until import wait_until
from tests.support.warehouse_fixtures import database_url, locked, query

PIPELINE = (
    "run-dbt-models/dbt",
    "refresh-materialized-views/analytics",
    "refresh-catalog/analytics",
)
KPIS = ("pipeline_kpis", "revenue_kpis", "compliance_kpis", "outreach_kpis")

pytestmark = pytest.mark.usefixtures("stack")


@pytest.fixture(scope="module")
def told():
    with receivers() as ready:
        yield ready


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, told: Receivers):
    """`analytics-worker up` with a login and a small sample; it has run its pipeline."""
    variables = {**told.variables, "SERVER_LOGIN": "on"}
    running = RunningStack(tmp_path_factory.mktemp("worker") / "state", variables=variables)
    try:
        running.start("--sample-opportunities", "500")
        url = f"http://127.0.0.1:{running.port}/api"
        with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: running.login}):
            yield running
    finally:
        running.stop()
        assert not running.processes(), "Ctrl-C leaves no process behind"


def test_the_pipeline_ran_and_said_so(stack: RunningStack):
    assert all(step in stack.output for step in PIPELINE), stack.output
    assert "Failed" not in stack.output
    assert "rules of definitions/" in stack.output


@pytest.mark.parametrize("kpi", KPIS)
def test_every_kpi_has_rows_under_both_of_its_names(stack: RunningStack, kpi: str):
    rows = query(stack, f"select * from analytics_{kpi} limit 100")
    assert rows
    assert query(stack, f"select count(*) from analytics.{kpi}")[0][0] >= len(rows)


def test_the_catalog_knows_the_kpis_and_when_they_were_refreshed(stack: RunningStack):
    names = query(
        stack,
        "select relation_name from ops.catalog where schema_name = 'analytics' and status = 'active'",
    )
    assert set(KPIS) <= {name for (name,) in names}


def test_every_schedule_has_runs_waiting():
    """The server's scheduler works with the pinned packages."""

    def waiting() -> set[str]:
        with get_client(sync_client=True) as client:
            runs = client.read_flow_runs(limit=200)
        return {str(run.deployment_id) for run in runs if run.auto_scheduled}

    with get_client(sync_client=True) as client:
        scheduled = {str(d.id) for d in client.read_deployments() if d.schedules}
    assert scheduled
    wait_until(lambda: waiting() >= scheduled, 60)


def test_a_run_from_python_can_be_followed():
    run = submit("refresh-materialized-views", view_names=["pipeline_kpis"])
    result = run.get(timeout=120)
    assert (result["status"], result["summary"]["successful"]) == ("success", 1)
    assert run.ready()
    assert run.successful()


def test_a_timeout_leaves_the_run_alone():
    run = submit("update-query-statistics")
    with pytest.raises(TimeoutError, match="update-query-statistics"):
        run.get(timeout=0)
    assert run.get(timeout=120)["status"] == "success"


def test_an_unknown_view_is_a_red_run_that_lists_the_known_ones():
    run = submit("refresh-materialized-views", view_names=["pipeline_kpi"])
    assert "analytics.pipeline_kpis" in run.get(timeout=120)["error"]
    assert not run.successful()


def test_a_run_from_the_command_line(stack: RunningStack):
    prefect = [str(Path(sys.executable).parent / "prefect"), "deployment", "run"]
    done = subprocess.run(
        [*prefect, "dbt-freshness-check/dbt", "--watch"],
        env=stack.environment | stack.api,
        check=False,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_overlapping_runs_of_one_deployment_are_refused():
    runs = [submit("refresh-catalog") for _ in range(4)]
    wait_until(lambda: all(run.ready() for run in runs), 120)
    names = [state.name for run in runs if (state := run.state())]
    assert "Completed" in names
    assert set(names) <= {"Completed", "Cancelled"}


def test_ten_seconds_after_it_is_cancelled_nothing_is_left_of_a_dbt_run(stack: RunningStack):
    """As the button of the UI cancels it, through the worker that runs it."""
    with locked(stack, "raw.opportunities"):
        run = submit("run-dbt-models", dbt_args=["--models", "staging", "kpis"])
        wait_until(lambda: dbt_queries(stack), 60)
        processes = dbt_processes(stack)
        assert processes
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run.id, Cancelling())
        wait_until(lambda: not any(process.is_running() for process in processes), 10)
        wait_until(lambda: not dbt_queries(stack), 10)
    wait_until(run.ready, 60)
    assert (state := run.state())
    assert state.is_cancelled()


def test_a_kpi_over_its_threshold_is_told_and_so_is_its_end(stack: RunningStack, told: Receivers):
    """Channels to a mail server and to a webhook, after the alerts of the sample have resolved."""
    rule = "erasure-requests-overdue"
    state = f"select status, told from ops.alert_status where name = '{rule}'"
    set_kpi(stack, "compliance_kpis", ERASURES_DONE)
    evaluate_until(stack, lambda: query(stack, state) == [("ok", None)])
    told.hook.requests.clear()
    told.mail.messages.clear()

    set_kpi(stack, "compliance_kpis", ERASURES_LATE)
    evaluate_until(stack, lambda: bool(told.posted(rule) and told.mailed(rule)))
    set_kpi(stack, "compliance_kpis", ERASURES_DONE)
    evaluate_until(stack, lambda: len(told.posted(rule)) > 1 and len(told.mailed(rule)) > 1)
    team = "team@example.com"
    assert told.posted(rule) == ["firing", "resolved"]
    assert told.mailed(rule) == [(team, "[CRITICAL]"), (team, "[RESOLVED]")]


def test_an_event_asks_for_an_alert(stack: RunningStack, told: Receivers):
    alert = {
        "id": 17,
        "name": "asked by an app",
        "query": "select sum(open_value) as value from analytics.pipeline_kpis",
        "threshold": 0.5,
        "operator": ">",
        "notification_channels": [{"type": "email", "to": ["emea@example.com"]}, "webhook"],
    }
    emit(stack, "analytics.alert.requested", {"alert_data": alert})
    run = run_of("trigger-alert")
    assert (run.state_name, run.parameters) == ("Completed", {"alert_data": alert})
    assert told.posted("asked by an app") == ["firing"]
    assert told.mailed("asked by an app") == [("emea@example.com", "[CRITICAL]")]


def test_an_event_tells_of_a_threshold(stack: RunningStack, told: Receivers):
    threshold = {
        "id": "mrr",
        "metric_name": "mrr of an app",
        "warning_threshold": 10,
        "critical_threshold": 5,
        "comparison_operator": "<",
    }
    seen = {"threshold_data": threshold, "current_value": 4.25, "status": "critical"}
    emit(stack, "analytics.threshold.breached", seen)
    run = run_of("create-threshold-alert")
    assert (run.state_name, run.parameters) == ("Completed", seen)
    wait_until(lambda: told.posted("mrr of an app") == ["firing"], 60)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_reports(
    stack: RunningStack, told: Receivers, story: Callable[[RunningStack, Receivers], None]
):
    story(stack, told)


def test_the_ui_is_served(stack: RunningStack):
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.port}/") as page:
        assert b"Prefect" in page.read()


@attack(by="API caller", what="Look for passwords in runs, logs, events, files", answer="none")
def test_no_secret_is_anywhere_a_person_looks(stack: RunningStack):
    """Run parameters, states, logs, events, artifacts, and the log files."""
    passwords = {str(database_url(stack).password), str(stack.login).partition(":")[2]}
    assert all(len(password) > 16 for password in passwords)

    def is_clean(text: str) -> bool:
        return TOKEN not in text and not any(password in text for password in passwords)

    for collection in ("flow_runs", "task_runs", "logs", "artifacts", "deployments", "events"):
        body = {"limit": 50 if collection == "events" else 200}
        with get_client(sync_client=True) as client:
            answer = client.request("POST", cast("Any", f"/{collection}/filter"), json=body)
        assert is_clean(answer.text)
    files = [path for path in (stack.state_dir / "logs").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if not is_clean(path.read_text(errors="replace"))]
    assert is_clean(stack.output)


def test_the_doctor_finds_nothing_that_fails(stack: RunningStack):
    done = stack.run("doctor")
    assert done.returncode == 0, done.stdout
    expected = ("analytics_reader can only SELECT", "on time, next", "requires a login", "0 failed")
    assert all(said in done.stdout for said in expected)


def test_status_says_what_starts_a_deployment_without_a_schedule(stack: RunningStack):
    lines = stack.run("status").stdout.splitlines()
    ends = {line.split()[0]: line.split()[-1] for line in lines if "/" in line.split(" ")[0]}
    assert ends["trigger-alert/alerts"] == "event"
    assert ends["dbt-docs-generate/dbt"] == "manual"
