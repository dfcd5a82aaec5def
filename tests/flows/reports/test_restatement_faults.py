"""Faults while sent reports are compared: each is its own, and nothing is reported twice or lost."""

import json
import multiprocessing
from multiprocessing.context import ForkServerContext

import pytest
from sqlalchemy import text

from analytics_worker.database import connections
from analytics_worker.database.connections import warehouse
from tests.flows.reports.reports import report
from tests.flows.reports.restated import (
    DAY,
    NEXT_DAY,
    OF_PERIOD,
    change,
    check,
    create_sales,
    notices,
    sales_report,
    send,
    set_variable,
    store,
)
from tests.support.forked_process import run_forked
from tests.support.sql import execute, query
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.timeout(240)

RAISE = "update analytics.sales set amount = 120 where amount = 100"
ENQUEUED = "select count(*) from ops.messages where kind = 'report_restated'"


@pytest.fixture(autouse=True)
def _sales(report_folder):
    del report_folder
    create_sales()


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    """Return a context that forks processes from one that has imported everything."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["flows.reports.restatement.check"])
    return found


def check_in_process() -> None:
    """Compare and notify, as the flow does."""
    from flows.reports.restatement.check import check_restatements  # noqa: PLC0415  # preloaded

    check_restatements()


def waiting() -> int:
    (count,) = query(
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        " and datname = current_database()"
    )
    return count


def make_due() -> None:
    execute("update ops.report_comparisons set compared_at = compared_at - interval '1 day'")


def test_a_report_with_an_error_does_not_hide_another(smtp_sink):
    execute(
        "create table analytics.other (at timestamptz, n int);"
        "grant select on analytics.other to analytics_reader"
    )
    odd = report("odd", f"select n {OF_PERIOD}".replace("sales", "other"))
    store(odd, sales_report())
    runs = [send(odd), send(sales_report())]
    change(
        RAISE,
        "alter table analytics.other drop column n",
        "insert into analytics.other values (now())",
    )
    assert check().notified == ["sales"]
    (notice,) = notices(smtp_sink)
    assert "Won: 140 EUR → 160 EUR" in notice
    errors = query("select error from ops.report_comparisons order by run_id")
    assert errors == ['odd: column "n" does not exist (line 1 of the SQL)', None]
    assert query("select changes from ops.report_comparisons where run_id = :id", id=runs[0]) == [
        []
    ]


def test_an_error_is_tried_again_until_it_is_over(smtp_sink):
    store(sales_report())
    send(sales_report())
    execute("revoke select on analytics.sales from analytics_reader")
    change(RAISE)
    assert (check().compared, notices(smtp_sink)) == (1, [])
    execute("grant select on analytics.sales to analytics_reader")
    assert (check().compared, len(notices(smtp_sink))) == (1, 1)


def test_a_reader_whose_server_is_away_does_not_hide_another(monkeypatch, environment):
    """Its reports are compared again later; those of other readers are compared now."""
    urls = {"other": environment}
    set_variable(monkeypatch, "READER_DATABASE_URLS", json.dumps(urls))
    for name, reader in (("a", "other"), ("b", None)):
        store(sales_report("a", reader="other"), sales_report("b"))
        send(sales_report(name, reader=reader))
    set_variable(
        monkeypatch, "READER_DATABASE_URLS", '{"other": "postgresql://a:b@127.0.0.1:1/kpis"}'
    )
    connections.dispose()  # the sessions of before
    change(RAISE)
    assert check().notified == ["b"]
    errors = query("select error from ops.report_comparisons order by run_id")
    assert errors[0]
    assert errors[1] is None


def test_an_odd_stored_definition_does_not_hide_another():
    for name in ("a", "b"):
        store(sales_report("a"), sales_report("b"))
        send(sales_report(name))
    execute("update ops.report_runs set definition = '{\"name\": 1}' where report = 'a'")
    change(RAISE)
    assert check().notified == ["b"]
    assert (
        "validation error" in query("select error from ops.report_comparisons order by run_id")[0]
    )


def test_killed_before_the_commit(smtp_sink, context):
    """The comparison is stored and the message is not: the next process enqueues it once."""
    store(sales_report())
    send(sales_report())
    change(RAISE)
    make_due()
    with warehouse() as connection, run_forked(context, check_in_process) as process:
        connection.execute(text("lock table ops.messages in exclusive mode"))
        wait_until(waiting, timeout=60)
        process.kill()
        process.join()
    wait_until(lambda: not waiting(), timeout=60)
    assert query(ENQUEUED) == [0]
    assert query("select notified from ops.report_comparisons") == [[]]
    check()
    check()
    assert (query(ENQUEUED), len(notices(smtp_sink))) == ([1], 1)


def test_two_processes_at_once_enqueue_one_message(smtp_sink, context):
    store(sales_report())
    send(sales_report())
    change(RAISE)
    make_due()
    with (
        warehouse() as connection,
        run_forked(context, check_in_process) as first,
        run_forked(context, check_in_process) as second,
    ):
        connection.execute(text("lock table ops.report_comparisons in exclusive mode"))
        wait_until(lambda: waiting() == 2, timeout=60)
        connection.commit()
        for process in (first, second):
            process.join(timeout=60)
            assert process.exitcode == 0
    assert query("select moved from ops.report_values order by part, position") == [1, 1, 1]
    assert (query(ENQUEUED), len(notices(smtp_sink))) == ([1], 1)


def test_a_slow_table_is_not_stored_and_the_report_is_sent(monkeypatch, smtp_sink):
    set_variable(monkeypatch, "REPORT_RESTATEMENT_SECONDS", "0.001")
    slow = f"select count(*) {OF_PERIOD} and at::text <> all (select n::text from generate_series(1, 300000) as n)"
    for formats, day in ((["csv"], DAY), (["html"], NEXT_DAY)):
        run = send(sales_report(sql=slow, tiles=[], charts=[], format=formats), day)
        (problem,) = query("select problem from ops.report_values where run_id = :id", id=run)
        assert problem == "to read its rows takes longer than REPORT_RESTATEMENT_SECONDS"
    assert len(smtp_sink.messages) == 2
