"""Every counter equals a count over the Prefect database, also when the exporter is killed or the database is down."""

import signal
import sqlite3
from contextlib import closing
from uuid import uuid4

import httpx
import pytest

from analytics_worker.exporter.collectors.flow_runs import LAST_SUCCESS, RUNS, EndedRun, FlowRuns
from analytics_worker.exporter.label_cache import DeploymentIndex, FlowRunLabels
from analytics_worker.exporter.prefect_client import PrefectApi
from tests.support.exporter_process import Exporter, exporter_of
from tests.support.promtool import promtool
from tests.support.seeded_runs import WAYS, in_database, seeder
from tests.support.wait_until import wait_until


@pytest.fixture(scope="module")
def seeded(prefect_server):
    with seeder(prefect_server.api_url) as made:
        yield made


def flow_runs(store) -> FlowRuns:
    api = PrefectApi()
    return FlowRuns(api, store, DeploymentIndex(api), FlowRunLabels(api))


def equal(exporter: Exporter, home, flow: str) -> None:
    expected = in_database(home, flow)
    assert sum(expected["flow runs"].values()) >= len(WAYS)
    wait_until(lambda: exporter.counted(flow) == expected, 60, 0.3)


def test_every_way_of_ending_counts_once_through_kills_and_deletions(
    prefect_server, seeded, tmp_path
):
    seeded.runs(len(WAYS))
    home = prefect_server.home
    with exporter_of(tmp_path, prefect_server.api_url) as exporter:
        equal(exporter, home, seeded.flow)
        more = seeded.runs(len(WAYS))
        exporter.end(signal.SIGKILL)
        more += seeded.runs(len(WAYS))
        exporter.begin()
        equal(exporter, home, seeded.flow)
        counted = exporter.counted(seeded.flow)
        for run in more:
            seeded.delete(run)
        exporter.end(signal.SIGKILL)
        exporter.begin()
        assert exporter.counted(seeded.flow) == counted, "before the first poll"
        wait_until(lambda: exporter.samples("exporter_up") == {(): 1.0}, 60)
        assert exporter.counted(seeded.flow) == counted


def test_a_run_whose_end_is_reported_hours_late_is_found(
    prefect_server, seeded, store, monkeypatch
):
    monkeypatch.setattr(
        "analytics_worker.exporter.run_reconciler.RETENTION_SECONDS", 12 * 3600.0
    )  # as many polls until each hour was checked
    monkeypatch.setattr("analytics_worker.exporter.run_reconciler.HOUR_CHECK_SECONDS", 0.0)
    runs = flow_runs(store)
    seeded.run("completed")
    list(runs.collect())
    before = store.values(RUNS)
    late = seeded.run("crashed")
    ended = f"update flow_run set end_time = datetime('now', '-5 hours') where id = '{late}'"
    with closing(sqlite3.connect(prefect_server.home / "prefect.db", timeout=30)) as connection:
        assert connection.execute(ended).rowcount == 1
        connection.commit()
    list(runs.collect())
    assert store.values(RUNS) == before, "it is older than what every poll looks at"

    def found() -> bool:
        list(runs.collect())
        crashed = (seeded.flow, "", "Crashed")
        return store.values(RUNS).get(crashed, 0) == before.get(crashed, 0) + 1

    wait_until(found, 60)


def test_an_outage_is_caught_up_with_page_by_page(prefect_server, seeded, store, monkeypatch):
    monkeypatch.setattr("analytics_worker.exporter.prefect_client.PAGE", 7)
    monkeypatch.setattr("analytics_worker.exporter.prefect_client.FIRST_PAGE", 3)
    monkeypatch.setattr("analytics_worker.exporter.run_reconciler.MAX_SLICE_RUNS", 10)
    monkeypatch.setattr("analytics_worker.exporter.run_reconciler.OVERLAP", 0.5)
    seeded.runs(2 * len(WAYS))
    runs = flow_runs(store)

    def all_found() -> bool:
        list(runs.collect())
        counted = {k[2]: v for k, v in store.values(RUNS).items() if k[0] == seeded.flow}
        return counted == in_database(prefect_server.home, seeded.flow)["flow runs"]

    wait_until(all_found, 60)


@pytest.mark.parametrize(
    ("kind", "name", "failed"),
    [
        ("COMPLETED", "Completed", False),
        ("COMPLETED", "Skipped", None),
        ("FAILED", "Partial", True),
        ("CRASHED", "Crashed", True),
        ("CANCELLED", "Cancelled", None),
    ],
)
def test_what_an_end_says_of_its_deployment(kind: str, name: str, failed: bool | None):
    run = {
        "state_id": str(uuid4()),
        "state_type": kind,
        "state_name": name,
        "deployment_id": str(uuid4()),
        "work_pool_name": "dbt",
        "run_count": 0,
        "end_time": "2026-05-04T06:00:00+00:00",
    }
    item = EndedRun(run, "load/dbt").last(is_first=True)
    assert (item.run_result.failed if item.run_result else None) is failed
    succeeded = [one for one in item.increments if one.family is LAST_SUCCESS]
    assert bool(succeeded) is (failed is False)


def test_promtool_finds_nothing_wrong_with_what_it_answers(prefect_server, seeded, tmp_path):
    seeded.runs(len(WAYS))
    with exporter_of(tmp_path, prefect_server.api_url) as exporter:
        wait_until(lambda: exporter.counted(seeded.flow)["flow runs"], 60, 0.3)
        assert promtool("check", "metrics", given=exporter.get()) == ""


def test_a_port_that_is_taken_is_one_clear_line(prefect_server, tmp_path):
    with exporter_of(tmp_path, prefect_server.api_url) as exporter:
        second = Exporter(
            tmp_path / "state", prefect_server.api_url, PROMETHEUS_PORT=str(exporter.port)
        )
        second.start()
        wait_until(lambda: second.ended() is not None, 60)
        assert second.ended() == 1
        (line,) = second.output().strip().splitlines()
        assert f"127.0.0.1:{exporter.port} can't be used" in line
        assert "PROMETHEUS_PORT" in line


def test_what_it_answers_while_the_server_is_away(tmp_path):
    with exporter_of(tmp_path, "http://127.0.0.1:9/api") as exporter:
        wait_until(
            lambda: (
                exporter.samples("exporter_poll_errors_total", collector="flow_runs").get((), 0) > 0
            ),
            60,
        )
        assert exporter.samples("exporter_up") == {(): 0.0}
        assert exporter.samples("host_cpus")
        assert httpx.get(f"http://127.0.0.1:{exporter.port}/health").status_code == 200
        assert httpx.get(f"http://127.0.0.1:{exporter.port}/other").status_code == 404
        exporter.end()
        assert exporter.ended() == 0
