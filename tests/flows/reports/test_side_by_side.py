"""Reports of one flow run: side by side, each sent when it is ready, content errors never retried."""

import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest
from sqlalchemy import Connection, text

from analytics_worker.database.connections import warehouse
from analytics_worker.settings import settings
from flows.reports import generate_ad_hoc_report, generate_due_reports, generate_scheduled_reports
from flows.reports import scheduled as scheduled_flow
from flows.reports.output import generator
from flows.reports.runs import side_by_side
from tests.flows.reports.gated import create_orders, dbt_test, gated
from tests.flows.reports.reports import ANN, OWNER, report, store_reports
from tests.support.sql import execute, query
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")

SLOW = "select count(*) as n from analytics.slow"


@pytest.fixture
def locked() -> Generator[Connection]:
    """Lock the table that slow reports read, until the test commits."""
    execute("create table analytics.slow (n integer)")
    execute("grant select on analytics.slow to analytics_reader")
    with warehouse() as connection:
        connection.execute(text("lock table analytics.slow in access exclusive mode"))
        yield connection


def waiting_reports() -> int:
    (count,) = query(
        "select count(*) from pg_locks where relation = 'analytics.slow'::regclass and not granted"
    )
    return count


def unlock_when(connection: Connection, condition: Callable[[], object]) -> threading.Thread:
    """Unlock the table when a condition is true, or after a while."""

    def unlock() -> None:
        try:
            wait_until(condition, timeout=20)
            seen.append(True)
        finally:
            connection.commit()

    seen: list[bool] = []
    thread = threading.Thread(target=unlock)
    thread.seen = seen  # pyright: ignore[reportAttributeAccessIssue]
    thread.start()
    return thread


def assert_seen(thread: threading.Thread) -> None:
    thread.join()
    assert thread.seen  # pyright: ignore[reportAttributeAccessIssue]


def test_email_leaves_while_another_report_is_generated(smtp_sink, locked):
    store_reports(report("slow", SLOW, recipients=["slow@example.com"]), report("swift"))
    thread = unlock_when(
        locked,
        lambda: waiting_reports() and [each.recipients for each in smtp_sink.messages] == [[ANN]],
    )
    result = generate_scheduled_reports()
    assert_seen(thread)
    assert (result["delivery"]["sent"], result["delivery"]["others"]) == (2, 0)
    assert [each["report"] for each in result["reports"]] == ["slow", "swift"]
    assert [each.recipients for each in smtp_sink.messages] == [[ANN], ["slow@example.com"]]


def test_reports_are_generated_side_by_side(locked):
    store_reports(report("one", SLOW), report("two", SLOW), report("three", SLOW))
    thread = unlock_when(locked, lambda: waiting_reports() == 2)
    assert generate_scheduled_reports()["summary"]["made"] == 3
    assert_seen(thread)


def test_rows_of_for_each_are_generated_side_by_side(locked):
    each = {"sql": "select unnest(array['a', 'b']) as k", "key": "k"}
    store_reports(report("each", f"{SLOW} where :k is not null", for_each=each))
    thread = unlock_when(locked, lambda: waiting_reports() == 2)
    assert generate_scheduled_reports()["summary"]["made"] == 2
    assert_seen(thread)


def test_number_of_reports_at_a_time_is_a_setting(locked, monkeypatch, smtp_sink):
    monkeypatch.setenv("REPORT_CONCURRENCY", "1")
    settings.cache_clear()
    store_reports(report("one"), report("two", SLOW), report("three", SLOW))
    thread = unlock_when(locked, lambda: waiting_reports() == 1 and smtp_sink.messages)
    assert generate_scheduled_reports()["summary"]["made"] == 3
    assert_seen(thread)


def test_owner_of_a_failed_report_is_notified_while_another_is_generated(smtp_sink, locked):
    store_reports(report("broken", "select nope"), report("slow", SLOW))
    thread = unlock_when(
        locked, lambda: [each.recipients for each in smtp_sink.messages] == [[OWNER]]
    )
    generate_scheduled_reports(return_state=True)
    assert_seen(thread)


@pytest.mark.parametrize(
    "fields",
    [
        {"sql": "select nope"},
        {"sql": "select 1 / 0 as n"},
        {"tiles": [{"title": "T", "sql": "select 'text'"}]},
        {"for_each": {"sql": "select 1 as n", "key": "missing"}},
    ],
    ids=["column", "division", "tile", "for_each"],
)
def test_content_error_is_not_retried(fields):
    store_reports(report(**fields))
    generate_scheduled_reports(return_state=True)
    (attempts,) = query("select attempts from ops.report_runs")
    assert attempts == 1


@pytest.mark.parametrize("error", [OverflowError("math"), RecursionError(), ZeroDivisionError("x")])
def test_unexpected_error_of_one_report_is_its_own_and_not_retried(error, smtp_sink, monkeypatch):
    task = scheduled_flow.generate_report
    monkeypatch.setattr(task, "retry_delay_seconds", [0.0] * task.retries)
    document = generator.report_document

    def failing(snapshot, run, tables, facts):
        if run.name == "odd":
            raise error
        return document(snapshot, run, tables, facts)

    monkeypatch.setattr(generator, "report_document", failing)
    store_reports(report("odd"), report("fine"))
    state = generate_scheduled_reports(return_state=True)
    assert state.name == "Partial"
    assert f"odd: failed: {type(error).__name__}" in str(state.message)
    assert query("select report, attempts, status from ops.report_runs order by 1") == [
        ("fine", 1, "ready"),
        ("odd", 1, "failed"),
    ]
    assert {each.recipients[0] for each in smtp_sink.messages} == {ANN, OWNER}


def test_outage_is_retried(monkeypatch):
    task = scheduled_flow.generate_report
    monkeypatch.setattr(task, "retry_delay_seconds", [0.0] * task.retries)
    errors = [OSError("disk"), OSError("disk")]
    storage = generator.open_storage

    def failing():
        if errors:
            raise errors.pop()
        return storage()

    monkeypatch.setattr(generator, "open_storage", failing)
    store_reports(report())
    assert generate_scheduled_reports()["summary"]["made"] == 1
    assert query("select attempts from ops.report_runs") == [3]


def test_report_that_becomes_due_is_not_delayed_by_a_slow_one(smtp_sink, locked, monkeypatch):
    monkeypatch.setattr(side_by_side, "POLL_SECONDS", 0.1)
    times = {"schedule": "manual", "cron": "0 0 1 1 *", "recipients": ["slow@example.com"]}
    other: dict[str, Any] = {"schedule": "manual", "cron": "* * * * *", "catch_up": 0}
    store_reports(report("slow", SLOW, **times), report("swift", **other))
    execute(
        "update ops.report_definitions set created_at = now() - interval '1 year' where name = 'slow'"
    )
    due = "update ops.report_definitions set created_at = now() - interval '2 min' where name = 'swift'"

    def sent() -> bool:
        if waiting_reports():
            execute(due)
        return [ANN] in [each.recipients for each in smtp_sink.messages]

    thread = unlock_when(locked, sent)
    assert generate_due_reports()["summary"]["failed"] == 0
    assert_seen(thread)
    assert ["slow@example.com"] in [each.recipients for each in smtp_sink.messages]


def test_held_report_is_not_delayed_by_a_slow_one(smtp_sink, locked, monkeypatch):
    monkeypatch.setattr(side_by_side, "POLL_SECONDS", 0.1)
    create_orders()
    dbt_test("failing")
    times = {"schedule": "manual", "cron": "0 0 1 1 *"}
    store_reports(gated("held", **times), report("slow", SLOW, recipients=[], **times))
    execute("update ops.report_definitions set created_at = now() - interval '1 year'")

    def sent() -> bool:
        if [OWNER] in [each.recipients for each in smtp_sink.messages]:
            dbt_test("ok")
        return [ANN] in [each.recipients for each in smtp_sink.messages]

    thread = unlock_when(locked, sent)
    assert generate_due_reports()["summary"]["made"] == 2
    assert_seen(thread)


def test_requested_report_with_rows_counts_its_own_messages(smtp_sink):
    each = {"sql": "select unnest(array['a', 'b', 'c']) as k", "key": "k"}
    config = {"name": "q", "query": "select :k as k", "for_each": each, "recipients": [ANN]}
    result = generate_ad_hoc_report(config)
    assert (result["delivery"]["sent"], result["delivery"]["others"]) == (3, 0)
    assert len(set(smtp_sink.ids())) == 3
