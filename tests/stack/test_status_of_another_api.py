"""`analytics-worker status` where the server is another's, as in docs/production.md."""

import pytest
import typer
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.settings import PREFECT_API_URL

from analytics_worker.cli.status import status
from analytics_worker.deployment.deploy import deploy, desired_state
from analytics_worker.prefect_support.deployments import deployed_flows, pools
from analytics_worker.settings import settings
from tests.support.stopped_work import (
    LIMIT,
    PAUSED,
    SCHEDULE,
    carry_out,
    stop_deployments,
    stop_queues,
)


@pytest.mark.usefixtures("prefect_api")
def test_pools_and_deployments_of_the_named_api_are_shown(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    settings.cache_clear()
    url = PREFECT_API_URL.value()
    monkeypatch.setenv("PREFECT_API_URL", url)
    with pytest.raises(typer.Exit) as ended:
        status()
    shown = capsys.readouterr()
    assert ended.value.exit_code == 1  # the pools have no workers
    assert f"Prefect API {url}" in shown.out
    assert "Components" not in shown.out
    names = [*(pool.name for pool in pools()), *map(str, deployed_flows())]
    assert [name for name in names if name not in shown.out] == []

    monkeypatch.delenv("PREFECT_API_URL")
    with pytest.raises(typer.Exit):
        status()
    assert "No stack runs" in capsys.readouterr().err


@pytest.mark.usefixtures("prefect_api")
def test_a_paused_pool_and_one_with_the_limit_0_are_named_with_the_fix(monkeypatch, capsys):
    monkeypatch.setenv("PREFECT_API_URL", PREFECT_API_URL.value())
    with get_client(sync_client=True) as client:
        deploy(desired_state(), client)
        client.update_work_pool("reports", WorkPoolUpdate(is_paused=True))
        client.update_work_pool("dbt", WorkPoolUpdate(concurrency_limit=0))
        with pytest.raises(typer.Exit):
            status()
        client.update_work_pool("reports", WorkPoolUpdate(is_paused=False))
        deploy(desired_state(), client)  # sets the limit of prefect.yaml
    shown = capsys.readouterr().out
    assert "pool reports is paused: `prefect work-pool resume reports`" in shown
    assert "pool dbt has the limit 0: `prefect work-pool set-concurrency-limit dbt" in shown


@pytest.mark.usefixtures("prefect_api")
def test_what_else_keeps_runs_from_starting_is_named_with_the_fix(monkeypatch, capsys):
    monkeypatch.setenv("PREFECT_API_URL", PREFECT_API_URL.value())
    with get_client(sync_client=True) as client:
        deploy(desired_state(), client)
        stop_queues(client)
        stop_deployments(client)
        client.delete_work_pool("monitoring")
        with pytest.raises(typer.Exit):
            status()
        shown = capsys.readouterr().out
        lines = [line for line in shown.splitlines() if line.count("`") == 2]
        for line in lines:
            carry_out(line, client)
        with pytest.raises(typer.Exit):
            status()
    starts = {
        "queue default of pool reports is paused: `prefect work-queue resume ",
        "queue default of pool alerts has the limit 0: `prefect work-queue clear-concurrency-limit",
        f"{PAUSED}: paused: `prefect api POST /deployments/",
        f"{SCHEDULE}: its schedule daily is paused: `prefect deployment schedule resume {SCHEDULE} ",
        f"{LIMIT}: its limit of concurrent runs is 0: `analytics-worker deploy`",
        "work pool monitoring does not exist; the server has ",
        "health-check/monitoring: its work pool was deleted: `analytics-worker deploy`",
    }
    assert {start for start in starts if not any(line.startswith(start) for line in lines)} == set()
    assert "`" not in capsys.readouterr().out
