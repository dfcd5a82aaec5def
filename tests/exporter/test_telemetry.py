"""Timings from inside a run, until they are counters of the exporter."""

import time
from typing import Any
from uuid import uuid4

import pytest
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.events.worker import EventsWorker
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker import telemetry
from analytics_worker.database.connections import warehouse
from analytics_worker.exporter.collectors.timings import CONNECT, ERRORS, QUERY, REQUEST, Timings
from analytics_worker.exporter.metric_families import Histogram
from analytics_worker.exporter.prefect_client import PrefectApi
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import flow_result
from analytics_worker.prefect_support.retries import CLEANUP
from analytics_worker.prefect_support.task import task
from analytics_worker.send_result import SENT, SendResult, temporary
from tests.support.wait_until import wait_until


def events(since: float):
    """Timings that the server has by what they are about, those of other tests included."""
    pages = PrefectApi().events(telemetry.EVENT, since, time.time() + 60)
    return {event["resource"]["prefect.resource.id"]: event for page in pages for event in page}


def told_by(run: str, since: float) -> list[str]:
    """What sent timings in a flow run: its tasks, and the run itself."""
    of_run = f"prefect.flow-run.{run}"
    return [
        name.split(".")[1]
        for name, event in events(since).items()
        if of_run in {one["prefect.resource.id"] for one in event["related"]}
    ]


@task(**CLEANUP)
def ask() -> None:
    with warehouse() as connection:
        connection.execute(text("select 1"))
        connection.execute(text("create temporary table t (x int)"))
        connection.execute(text("insert into t values (1)"))


@task(**CLEANUP)
def fail() -> None:
    with warehouse() as connection:
        connection.execute(text("select 1 / 0"))


@telemetry.timed_request("webhook")
def post() -> SendResult:
    return temporary("busy")


@flow(timeout_seconds=60)
def work():
    ask()
    with pytest.raises(SQLAlchemyError):
        fail()
    post()
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    return flow_result("success", str(context.flow_run.id))


@pytest.mark.usefixtures("environment", "prefect_api")
def test_each_task_and_the_flow_around_them_tell_once_and_the_exporter_adds_up(store):
    started = time.time()
    run = work()["message"]
    EventsWorker.drain_all()
    wait_until(lambda: len(told_by(run, started)) >= 3, 60)
    assert sorted(told_by(run, started)) == ["flow-run", "task-run", "task-run"]
    store.settle("events", started)  # skip what other tests sent before
    timings = Timings(PrefectApi(), store)
    samples = {f: {k: v for k, v in values.items() if v} for f, values in timings.collect()}
    assert count(samples[QUERY][("create",)]) == count(samples[QUERY][("insert",)]) == 1
    assert samples[ERRORS] == {("22",): 1.0}
    assert count(samples[REQUEST][("webhook", "temporary")]) == 1
    assert count(samples[CONNECT][()]) >= 1
    before = store.values(QUERY)
    list(timings.collect())
    assert store.values(QUERY) == before


def count(value) -> float:
    assert isinstance(value, Histogram)
    return sum(value.counts)


GOOD = {"format": telemetry.FORMAT, "histograms": [], "counts": []}
HISTOGRAM = {"metric": telemetry.CONNECT, "labels": [], "counts": [1] * 14, "sum": 1}


UNEXPECTED = (
    {},
    {**GOOD, "format": 99},
    {**GOOD, "counts": [{"metric": "flow_runs_total", "labels": [], "value": 1}]},
    {**GOOD, "counts": [{"metric": telemetry.ERRORS, "labels": ["22"], "value": -5}]},
    {**GOOD, "counts": [{"metric": telemetry.ERRORS, "labels": ["a" * 99], "value": 1}]},
    {**GOOD, "counts": [{"metric": telemetry.ERRORS, "labels": ['a"b'], "value": 1}]},
    {**GOOD, "histograms": [{**HISTOGRAM, "counts": [1]}]},
    {**GOOD, "histograms": [{**HISTOGRAM, "labels": ["more"]}]},
    {**GOOD, "histograms": [HISTOGRAM, {**HISTOGRAM, "sum": "1"}]},
)


@pytest.mark.usefixtures("prefect_api")
def test_events_that_nobody_would_send_count_nothing(store):
    started = time.time()
    names = {f"analytics.task-run.{uuid4()}": payload for payload in UNEXPECTED}
    for name, payload in names.items():
        emit_event(telemetry.EVENT, resource={"prefect.resource.id": name}, payload=payload)
    EventsWorker.drain_all()
    wait_until(lambda: names.keys() <= events(started).keys(), 60)
    store.settle("events", started)
    collected = Timings(PrefectApi(), store).collect()
    assert not [value for _, samples in collected for value in samples.values() if value]


def test_outside_a_scope_nothing_is_kept():
    telemetry.observe(1.0, telemetry.QUERY, "select")
    telemetry.count(telemetry.ERRORS, "22")


def test_a_scope_inside_another_keeps_its_own(monkeypatch):
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(telemetry, "_emit", told.append)

    @telemetry.measured
    def inner():
        telemetry.count(telemetry.ERRORS, "08")

    @telemetry.measured
    def outer():
        telemetry.count(telemetry.ERRORS, "22")
        inner()

    outer()
    assert [payload["counts"][0]["labels"] for payload in told] == [["08"], ["22"]]


def test_a_run_does_not_fail_because_nothing_can_be_told(monkeypatch):
    def broken(_payload: object):
        raise OSError("no network")

    monkeypatch.setattr(telemetry, "_emit", broken)

    @telemetry.measured
    def work():
        telemetry.count(telemetry.ERRORS, "08")
        return SENT

    assert work() is SENT


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("select 1", "select"),
        ("-- why\n  with x as (select 1)\nselect * from x", "with"),
        ("(select 1)", "select"),
        ("", "other"),
        ("-- nothing", "other"),
        ("listen x", "other"),
        ("REFRESH MATERIALIZED VIEW x", "refresh"),
        ("; commit", "commit"),
    ],
)
def test_the_operation_is_the_first_word(statement, expected):
    assert telemetry.operation(statement) == expected
