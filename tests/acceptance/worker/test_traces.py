"""Traces of forked runs: run, task and statement in one trace, without values, and never in the way of a run."""

import socket
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.support.case_runs import Workspace
from tests.support.otlp_sink import OtlpSink, otlp_sink
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.wait_until import wait_until

__all__ = ["otlp_sink"]

StartWorker = Callable[..., Process]
FLOW = """
import threading
from prefect import flow, task
from sqlalchemy import text
from analytics_worker.database.connections import warehouse

def select(statement, **values):
    with warehouse() as connection:
        return connection.execute(text(statement), values).all()

@task(name="read")
def read():
    select("select 'canary-text', 4242, :value -- canary-comment", value="canary-parameter")

@flow(name="traced")
def traced(value: str = "canary-argument"):
    read()
    thread = threading.Thread(target=select, args=["select 1 as in_a_thread"])
    thread.start()
    thread.join()
    try:
        select("select 'canary-error'::int")
    finally:
        raise ValueError("canary-message")

@flow
def quick():
    return 1
"""


def deployed(pool: Workspace) -> Workspace:
    for name in ("traced", "quick"):
        (pool.directory / f"{name}.py").write_text(FLOW)
    return pool


def test_run_task_and_statement_are_one_trace(
    pool: Workspace, start_worker: StartWorker, otlp_sink: OtlpSink, environment: str
):
    start_worker(
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp_sink.endpoint,
        OTEL_EXPORTER_OTLP_HEADERS="api-key=canary-header",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
        DATABASE_URL=environment,
    )
    run = deployed(pool).submit("traced")
    assert pool.wait(run, timeout=90).name == "Failed"
    wait_until(
        lambda: any(
            span["attributes"].get("prefect.run.type") == "flow" for span in otlp_sink.spans()
        )
    )
    spans = otlp_sink.spans()
    assert len({span["trace"] for span in spans}) == 1
    (flow,) = [span for span in spans if span["attributes"].get("prefect.run.type") == "flow"]
    (task,) = [span for span in spans if span["attributes"].get("prefect.run.type") == "task"]
    texts = {span["attributes"].get("db.query.text"): span for span in spans}
    assert (flow["parent"], task["parent"]) == ("", flow["id"])
    assert flow["attributes"]["prefect.run.id"] == str(run)
    assert texts["select ?, ?, %(value)s"]["parent"] == task["id"]
    assert texts["select ? as in_a_thread"]["parent"] == flow["id"]
    failed = texts["select ?::int"]
    assert (failed["status"], failed["attributes"]["error.type"]) == ((2, ""), "22P02")
    assert flow["status"] == (2, "")
    assert "canary" not in str(spans)
    assert otlp_sink.requests[0].headers["api-key"] == "canary-header"
    resource = flow["resource"]
    assert resource["service.name"] == "analytics-worker"
    assert resource["prefect.flow.name"] == "traced"
    assert resource["prefect.work-pool.name"] == pool.pool
    assert resource["deployment.environment.name"] == "test"


def test_the_sampler_of_the_environment(
    pool: Workspace, start_worker: StartWorker, otlp_sink: OtlpSink
):
    start_worker(OTEL_EXPORTER_OTLP_ENDPOINT=otlp_sink.endpoint, OTEL_TRACES_SAMPLER="always_off")
    for run in [deployed(pool).submit("quick") for _ in range(2)]:
        assert pool.wait(run, timeout=90).name == "Completed"
    assert otlp_sink.spans() == []


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_a_collector_that_does_not_answer_hides_no_run(
    pool: Workspace, start_worker: StartWorker, kind: str
):
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1] if kind == "silent" else free_port()
        worker = start_worker(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}")
        runs = [deployed(pool).submit("quick") for _ in range(3)]  # one at a time
        states = pool.wait_all(runs, timeout=90)
        assert [state.name for state in states] == ["Completed"] * 3
        worker.end()
