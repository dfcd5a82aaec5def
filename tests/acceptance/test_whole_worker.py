"""The worker as its users meet it: one command, then the UI, the CLI, Python, and the database."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from prefect import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy.engine import make_url

from tests.support.stack import RunningStack
from tests.support.waiting import wait_until
from toolkit.runs import submit

PIPELINE = (
    "run-dbt-models/dbt",
    "refresh-materialized-views/analytics",
    "refresh-catalog/analytics",
)
KPIS = ("pipeline_kpis", "revenue_kpis", "compliance_kpis", "outreach_kpis")

pytestmark = pytest.mark.usefixtures("stack")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory):
    """`analytics-worker up` with a small sample; it has run its pipeline."""
    running = RunningStack(tmp_path_factory.mktemp("worker") / "state")
    try:
        running.start("--sample-opportunities", "500")
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{running.port}/api"}):
            yield running
    finally:
        running.stop()
        assert not running.processes(), "Ctrl-C leaves no process behind"


def variables(stack: RunningStack) -> dict[str, str]:
    """What the stack wrote for the other processes of its checkout."""
    lines = (stack.state_dir / "stack.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line)


def database_url(stack: RunningStack):
    return make_url(variables(stack)["DATABASE_URL"].strip("'\""))


def query(stack: RunningStack, statement: str) -> list[Any]:
    url = database_url(stack)
    connection = psycopg2.connect(
        host=url.query["host"], user=url.username, password=url.password, dbname=url.database
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.close()


def test_the_pipeline_ran_and_said_so(stack: RunningStack):
    for step in PIPELINE:
        assert step in stack.output
    assert "Failed" not in stack.output


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
            return {
                str(run.deployment_id)
                for run in client.read_flow_runs(limit=200)
                if run.auto_scheduled
            }

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
        env=stack.environment | {"PREFECT_API_URL": str(PREFECT_API_URL.value())},
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


def test_the_ui_is_served(stack: RunningStack):
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.port}/") as page:
        assert b"Prefect" in page.read()


def test_no_password_is_anywhere_a_person_looks(stack: RunningStack):
    """Run parameters, states, logs, artifacts, and the log files."""
    url = database_url(stack)
    password = str(url.password)
    assert len(password) > 16
    for collection in ("flow_runs", "task_runs", "logs", "artifacts", "deployments"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{stack.port}/api/{collection}/filter",
            data=json.dumps({"limit": 200}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            assert password not in answer.read().decode()
    files = [path for path in (stack.state_dir / "logs").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if password in path.read_text(errors="replace")]
    assert password not in stack.output
