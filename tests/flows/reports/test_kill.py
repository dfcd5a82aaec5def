"""kill -9 at any moment: no half file, no lost report, at most one mail twice, and that as itself."""

from collections import Counter

import pytest
from sqlalchemy import text

from analytics_worker.database.connections import warehouse
from tests.flows.reports.reports import report, runs, store
from tests.flows.reports.workers import make_and_deliver, worker, worker_context
from tests.support.sql import execute, query
from tests.support.wait_until import wait_until

__all__ = ["worker_context"]

pytestmark = pytest.mark.timeout(240)

PEOPLE = [f"r{n}@example.com" for n in range(3)]
FILE = b"n\n1\n2\n"


@pytest.fixture(autouse=True)
def _sales(post):
    """One report that waits, while its rows are read, for a table that a test can lock."""
    del post
    execute("create table analytics.t (n integer)")
    execute("grant select on analytics.t to analytics_reader")
    execute("insert into analytics.t values (1), (2)")
    execute(
        "create function analytics.rows() returns setof integer language plpgsql as"
        " 'begin return query select n from analytics.t order by n; end'"
    )
    store(report(sql="select n from analytics.rows() as n", recipients=PEOPLE, timeout="1m"))


def waiting_for(table: str) -> int:
    """How many workers wait for a lock on a table."""
    (count,) = query(
        "select count(*) from pg_locks where not granted and relation = cast(:table as regclass)",
        table=table,
    )
    return count


def kill(process):
    process.kill()
    process.join()


def files(post) -> dict[str, bytes]:
    """Whole files, as a reader of the folder sees them."""
    return {path.name: path.read_bytes() for path in post.glob("[!.]*")}


def finish(post, smtp_sink) -> Counter[str]:
    """Other workers see to the rest; how often each mail arrived, over all workers.

    PostgreSQL takes a moment to see that a killed worker is gone; until then its work is left alone.
    """

    def all_done() -> bool:
        make_and_deliver()
        unsent = query("select count(*) from ops.deliveries where status <> 'sent'")
        return runs() == [("sales", "", "ready")] and unsent == [0]

    wait_until(all_done, timeout=30)
    assert list(files(post).values()) == [FILE]
    assert not list(post.glob(".*")), "nothing is left of the killed writer"
    assert query("select distinct status from ops.deliveries") == ["sent"]
    assert {r for each in smtp_sink.messages for r in each.recipients} == set(PEOPLE)
    return Counter(smtp_sink.ids())


def test_while_the_file_is_written(post, smtp_sink, worker_context):
    with warehouse() as connection, worker(worker_context) as process:
        connection.execute(text("lock table analytics.t in access exclusive mode"))
        wait_until(lambda: waiting_for("analytics.t"), timeout=90)
        assert (files(post), len(list(post.glob(".*.part")))) == ({}, 1)
        kill(process)
    assert set(finish(post, smtp_sink).values()) == {1}


def test_between_the_file_and_its_row(post, smtp_sink, worker_context):
    """The file has its name, and nobody knows of it yet."""
    with warehouse() as connection, worker(worker_context) as process:
        connection.execute(text("lock table ops.deliveries in share mode"))
        wait_until(lambda: waiting_for("ops.deliveries"), timeout=90)
        assert list(files(post).values()) == [FILE]
        assert query("select status from ops.report_runs") == ["running"]
        kill(process)
    assert set(finish(post, smtp_sink).values()) == {1}


def test_before_the_first_mail(post, smtp_sink, worker_context):
    with smtp_sink.pausing_connections() as held, worker(worker_context) as process:
        wait_until(held.is_set, timeout=90)
        assert query("select distinct status from ops.deliveries") == ["sending"]
        kill(process)
    assert set(finish(post, smtp_sink).values()) == {1}


def test_while_a_mail_is_sent(post, smtp_sink, worker_context):
    """The server has the second mail and hasn't said so: that one comes again, no other."""
    with smtp_sink.pausing_answer(to=2) as held, worker(worker_context) as process:
        wait_until(held.is_set, timeout=90)
        in_doubt = smtp_sink.ids()[1]
        kill(process)
    arrived = finish(post, smtp_sink)
    assert (len(arrived), arrived.total(), arrived[in_doubt]) == (3, 4, 2)


def test_after_a_mail_was_sent(post, smtp_sink, worker_context):
    """The server has said yes, but the worker couldn't write it down any more."""
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
    arrived = finish(post, smtp_sink)
    assert len(arrived) == 3
    assert arrived.total() <= 4


def test_two_workers_at_once_make_one_report_and_one_mail_each(post, smtp_sink, worker_context):
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
    assert set(finish(post, smtp_sink).values()) == {1}


def test_a_living_worker_s_report_is_left_alone(post, smtp_sink, worker_context):
    with warehouse() as connection, worker(worker_context) as process:
        connection.execute(text("lock table analytics.t in access exclusive mode"))
        wait_until(lambda: waiting_for("analytics.t"), timeout=90)
        make_and_deliver()
        assert (smtp_sink.messages, runs()) == ([], [("sales", "", "running")])
        connection.rollback()
        process.join(timeout=60)
        assert process.exitcode == 0
    assert set(finish(post, smtp_sink).values()) == {1}
