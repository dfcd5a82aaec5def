"""kill -9 at any point: no partial file, no lost report, at most one email twice with the same id."""

from collections import Counter

import pytest
from sqlalchemy import text

from analytics_worker.database.connections import warehouse
from tests.flows.reports.reports import report, runs, store_reports
from tests.flows.reports.workers import generate_and_deliver, worker, worker_context
from tests.support.sql import execute, query
from tests.support.wait_until import wait_until

__all__ = ["worker_context"]

pytestmark = pytest.mark.timeout(240)

RECIPIENTS = [f"r{n}@example.com" for n in range(3)]
FILE = b"n\n1\n2\n"


@pytest.fixture(autouse=True)
def _sales(report_folder):
    """Store a report that reads, while its rows are exported, a table that a test can lock."""
    del report_folder
    execute("create table analytics.t (n integer)")
    execute("grant select on analytics.t to analytics_reader")
    execute("insert into analytics.t values (1), (2)")
    execute(
        "create function analytics.rows() returns setof integer language plpgsql as"
        " 'begin return query select n from analytics.t order by n; end'"
    )
    store_reports(
        report(sql="select n from analytics.rows() as n", recipients=RECIPIENTS, timeout="1m")
    )


def waiting_for(table: str) -> int:
    """Return how many workers wait for a lock on a table."""
    (count,) = query(
        "select count(*) from pg_locks where not granted and relation = cast(:table as regclass)",
        table=table,
    )
    return count


def kill(process):
    process.kill()
    process.join()


def files(report_folder) -> dict[str, bytes]:
    """Return the published files of the folder."""
    return {path.name: path.read_bytes() for path in report_folder.glob("[!.]*")}


def finish(report_folder, smtp_sink) -> Counter[str]:
    """Have other workers finish the rest; count the emails by Message-ID, over all workers.

    PostgreSQL notices the end of a killed worker after a delay; until then its runs are not claimed.
    """

    def is_finished() -> bool:
        generate_and_deliver()
        unsent = query("select count(*) from ops.deliveries where status <> 'sent'")
        return runs() == [("sales", "", "ready")] and unsent == [0]

    wait_until(is_finished, timeout=30)
    assert list(files(report_folder).values()) == [FILE]
    assert not list(report_folder.glob(".*")), "no temporary file of the killed writer remains"
    assert query("select distinct status from ops.deliveries") == ["sent"]
    assert {r for each in smtp_sink.messages for r in each.recipients} == set(RECIPIENTS)
    return Counter(smtp_sink.ids())


def test_killed_while_the_file_is_written(report_folder, smtp_sink, worker_context):
    with warehouse() as connection, worker(worker_context) as process:
        connection.execute(text("lock table analytics.t in access exclusive mode"))
        wait_until(lambda: waiting_for("analytics.t"), timeout=90)
        assert (files(report_folder), len(list(report_folder.glob(".*.part")))) == ({}, 1)
        kill(process)
    assert set(finish(report_folder, smtp_sink).values()) == {1}


def test_killed_between_file_and_row(report_folder, smtp_sink, worker_context):
    """The file is published, and its row is not written yet."""
    with warehouse() as connection, worker(worker_context) as process:
        connection.execute(text("lock table ops.deliveries in share mode"))
        wait_until(lambda: waiting_for("ops.deliveries"), timeout=90)
        assert list(files(report_folder).values()) == [FILE]
        assert query("select status from ops.report_runs") == ["running"]
        kill(process)
    assert set(finish(report_folder, smtp_sink).values()) == {1}


def test_killed_before_the_first_email(report_folder, smtp_sink, worker_context):
    with smtp_sink.pausing_connections() as held, worker(worker_context) as process:
        wait_until(held.is_set, timeout=90)
        assert query("select distinct status from ops.deliveries") == ["sending"]
        kill(process)
    assert set(finish(report_folder, smtp_sink).values()) == {1}


def test_killed_while_an_email_is_sent(report_folder, smtp_sink, worker_context):
    """The server has the second email but has not replied: only that one is sent again."""
    with smtp_sink.pausing_answer(to=2) as held, worker(worker_context) as process:
        wait_until(held.is_set, timeout=90)
        in_doubt = smtp_sink.ids()[1]
        kill(process)
    arrived = finish(report_folder, smtp_sink)
    assert (len(arrived), arrived.total(), arrived[in_doubt]) == (3, 4, 2)


def test_killed_after_an_email_was_sent(report_folder, smtp_sink, worker_context):
    """The server has accepted the email, but the worker could not record it."""
    with (
        warehouse() as connection,
        smtp_sink.pausing_answer(to=2) as held,
        worker(worker_context) as process,
    ):
        wait_until(held.is_set, timeout=90)
        connection.execute(text("lock table ops.deliveries in share mode"))
        smtp_sink.release()
        wait_until(lambda: waiting_for("ops.deliveries"), timeout=30)
        kill(process)
    arrived = finish(report_folder, smtp_sink)
    assert len(arrived) == 3
    assert arrived.total() <= 4


def test_two_workers_generate_one_report_and_one_email_per_recipient(
    report_folder, smtp_sink, worker_context
):
    with (
        warehouse() as connection,
        worker(worker_context) as first,
        worker(worker_context) as second,
    ):
        connection.execute(text("lock table ops.report_runs in exclusive mode"))
        wait_until(lambda: waiting_for("ops.report_runs") == 2, timeout=90)
        connection.commit()
        for process in (first, second):
            process.join(timeout=60)
            assert process.exitcode == 0
    assert set(finish(report_folder, smtp_sink).values()) == {1}


def test_run_of_a_living_worker_is_not_claimed(report_folder, smtp_sink, worker_context):
    with warehouse() as connection, worker(worker_context) as process:
        connection.execute(text("lock table analytics.t in access exclusive mode"))
        wait_until(lambda: waiting_for("analytics.t"), timeout=90)
        generate_and_deliver()
        assert (smtp_sink.messages, runs()) == ([], [("sales", "", "running")])
        connection.rollback()
        process.join(timeout=60)
        assert process.exitcode == 0
    assert set(finish(report_folder, smtp_sink).values()) == {1}
