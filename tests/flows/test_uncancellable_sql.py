"""SQL whose function never looks for a cancellation: its rule or report fails, the others go on."""

from datetime import timedelta

import pytest

from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.database import query_canceller
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.errors import PermanentError
from flows.reports.formats import TableQuery, export, fetch_rows, open_snapshot
from tests.flows.alerts.rules import rule, store, tick
from tests.support.attacks import attack
from tests.support.sql import execute, query
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.usefixtures("usual_grants")

# `normalize` is refused in the text of SQL; a user's own view hides it.
VIEWS = """create table raw.marks as select chr(768) as first, chr(790) as second;
create view analytics.endless as
select length(normalize(repeat(first || second, 30000), NFC)) as value from raw.marks;
create view analytics.endless_plan as
select length(normalize(repeat(chr(768) || chr(790), 30000), NFC)) as value;
grant select on analytics.endless, analytics.endless_plan to public"""
SQL = "select value from analytics.endless"
COMPUTING = """select count(*) from pg_stat_activity
where state = 'active' and query like '/*%' and pid <> pg_backend_pid()
and datname = current_database()"""
SECOND = timedelta(seconds=1)
ABANDONED = "ignores its cancellation, and the database server keeps computing"
STILL_RUNNING = "still computes in process"


def computing() -> int:
    """Count the executions of the view; a role sees the SQL of its own sessions only."""
    with reader_session() as session:
        return int(session.fetch(COMPUTING).rows[0][0] or 0)


@pytest.fixture
def endless(usual_grants, monkeypatch):  # noqa: ARG001  # its database
    monkeypatch.setattr(query_canceller, "GRACE_PERIOD", timedelta(seconds=0.5))
    monkeypatch.setattr(query_canceller, "CANCELLATION_PERIOD", timedelta(seconds=1))
    execute(VIEWS)
    yield
    wait_until(lambda: computing() == 0, timeout=300)  # it ends without a signal, in time


@attack(
    by="author",
    what="SQL that ignores statement_timeout and cancellation (normalize() in a view), in a rule",
    answer="that rule fails after its timeout and 7 s; the others are evaluated, the breaker stays closed",
)
@pytest.mark.usefixtures("endless")
def test_a_rule_that_does_not_stop_is_abandoned():
    store(rule("endless", SQL, timeout="1s"), rule("well"))
    counts = tick(0)
    assert (counts.evaluated, counts.errors, counts.firing) == (2, 1, 1)
    (reason,) = query("select error from ops.alert_evaluations where error is not null")
    assert STILL_RUNNING in reason  # the second attempt did not run
    assert db_circuit_breaker.fail_counter == 0


@attack(
    by="author",
    what="The same SQL again and again, to take one more session of the server each time",
    answer="it is refused while an earlier execution still computes",
)
@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize("view", ["endless", "endless_plan"])
def test_it_is_not_run_again_while_it_computes(view):
    for reason in (ABANDONED, STILL_RUNNING):
        with reader_session() as session, pytest.raises(PermanentError, match=reason):
            session.fetch(f"select value from analytics.{view}", timeout=SECOND)
    assert computing() == 1


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize(
    "run",
    [
        lambda snapshot, table, _path: fetch_rows(snapshot, table, 1),
        lambda snapshot, table, path: export(snapshot, [table], path, "csv"),
    ],
    ids=["tile", "csv"],
)
def test_a_report_that_does_not_stop_is_abandoned_and_not_run_again(run, tmp_path):
    table = TableQuery("endless", SQL)
    for reason in (ABANDONED, STILL_RUNNING):
        with pytest.raises(PermanentError, match=reason), open_snapshot(timeout=SECOND) as snapshot:
            run(snapshot, table, tmp_path / "f")
    assert computing() == 1
