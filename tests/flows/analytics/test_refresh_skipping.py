"""A view is skipped only if a refresh would not change it; any doubt means refresh."""

import random
from contextlib import closing

import pytest

from analytics_worker.database import connections
from analytics_worker.database.connections import warehouse
from flows.analytics import _change_detection
from flows.analytics._change_detection import UNCOUNTED_CHANGES, reasons_to_refresh
from flows.analytics._refresh import refresh
from flows.analytics._views import materialized_views
from tests.flows.analytics.conftest import connect, run

pytestmark = pytest.mark.usefixtures("environment", "running_statements")

PLAIN = """
create table raw.t (id integer primary key, at timestamptz default '2026-01-01', note text);
insert into raw.t select i from generate_series(1, 10) i;
create function raw.twice(i integer) returns integer immutable language sql as 'select i * 2';
create view analytics.even as select * from raw.t where id % 2 = 0;
create table raw.parts (id integer) partition by range (id);
create table raw.parts_1 partition of raw.parts for values from (0) to (100);
create table raw.loose (id integer);
create materialized view analytics.kpi as
select raw.twice(e.id) as id, date_trunc('day', e.at) as day, p.id as part, to_json(e.at) as doc
from analytics.even as e left join raw.parts as p on e.id = p.id;
create unique index on analytics.kpi (id);
"""


def view():
    with warehouse() as connection:
        return materialized_views(connection, ["analytics"])[-1]


def reason():
    """Why the view must be refreshed, as another process would see it."""
    connections.dispose()
    oid = view().oid
    return reasons_to_refresh([oid])[oid]


@pytest.fixture
def refreshed(sql, running_statements):  # noqa: ARG001  # refresh() needs it
    sql(PLAIN)
    refresh(view(), "test")


@pytest.mark.usefixtures("refreshed")
def test_nothing_happened():
    assert reason() is None


@pytest.mark.usefixtures("refreshed")
@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("insert into raw.t values (20)", "changed: raw.t"),
        ("update raw.t set note = 'x' where id = 1", "changed: raw.t"),
        ("delete from raw.t where id = 2", "changed: raw.t"),
        ("truncate raw.t", "changed: raw.t"),
        ("insert into raw.parts values (2)", "changed: raw.parts_1"),
        ("alter table raw.parts attach partition raw.loose for values from (100) to (200)", "changed: raw.loose"),
        ("create or replace view analytics.even as select * from raw.t where id % 2 = 1", "its definition changed"),
        ("create or replace function raw.twice(i integer) returns integer immutable language sql as 'select i * 3'", "its definition changed"),
        ("refresh materialized view analytics.kpi", "it was changed outside the refresh"),
        ("refresh materialized view analytics.kpi with no data", "it was changed outside the refresh"),
        ("alter table raw.t enable row level security", "it reads raw.t, which has row-level security"),
        ("update ops.refresh_log set started_at = now() - interval '2 days'", "last refreshed more than 24 hours ago"),
        ("truncate ops.refresh_log", "no refresh is recorded"),
        ("insert into raw.loose values (1)", None),
        ("vacuum analyze raw.t", None),
        ("create index on raw.t (note)", None),
        ("alter table raw.t add more integer", None),
    ],
)  # fmt: skip
def test_one_thing_happened(sql, statement, expected):
    sql(statement)
    assert reason() == expected


@pytest.mark.usefixtures("refreshed")
def test_statistics_that_were_reset_are_no_witness(superuser):
    superuser("select pg_stat_reset()")
    assert reason() == "the server or its statistics were restarted"


@pytest.mark.usefixtures("refreshed")
def test_a_time_zone_changes_what_a_day_is(sql):
    sql(
        "do $$ begin execute format('alter database %I set timezone = %L', current_database(), 'Asia/Tokyo'); end $$"
    )
    assert reason() == "time zone or other settings changed"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select current_date as d", "it depends on current_date"),
        ("select localtimestamp as d", "it depends on the current time"),
        ("select current_user as u", "it depends on who refreshes it"),
        ("select * from raw.t where at < now()", "it calls now()"),
        ("select age(at) from raw.t", "it calls age()"),
        ("select random() as r from raw.t", "it calls random()"),
        ("select note::date as d from raw.t", "it reads text as dates, which may be relative ('today')"),
        ("select * from raw.t tablesample system (10)", "it reads a random sample"),
        ("select t.id from raw.t, pg_class as c where c.oid = t.id", "it reads pg_catalog.pg_class, whose changes are not counted"),
        ("select count(*) from information_schema.tables", "it reads information_schema.tables, whose changes are not counted"),
        ("select last_value from raw.numbers", "it reads raw.numbers, whose changes are not counted"),
        ("select raw.secret() as s", "it calls secret()"),
        ("select id::text, at::date from raw.t where at < '2026-01-01'::date", None),
        ("select to_char(at, 'YYYY'), extract(year from at), at + interval '1 day' from raw.t", None),
        ("select 1 as one", None),
    ],
)  # fmt: skip
def test_some_queries_depend_on_more_than_their_tables(sql, query, expected):
    sql(
        "create table raw.t (id integer, at timestamptz, note text); create sequence raw.numbers;"
        "create function raw.secret() returns integer stable language sql as 'select 1'"
    )
    sql(f"create materialized view analytics.kpi as {query}")
    refresh(view(), "test")
    assert reason() == expected


def test_a_view_upon_a_view_follows_it(sql):
    sql(
        "create table raw.t (id integer); create materialized view analytics.a as select * from raw.t"
    )
    sql("create materialized view analytics.b as select * from analytics.a")
    refresh(view(), "test")
    assert reason() is None
    sql("insert into raw.t values (1); refresh materialized view analytics.a")
    assert reason() == "changed: analytics.a"


@pytest.mark.usefixtures("refreshed")
def test_what_an_open_session_committed_a_moment_ago_counts(session):
    """Its statistics show it only seconds later; the check waits for that."""
    run(session, "insert into raw.t values (20)")
    run(session, "insert into raw.t values (21)")
    assert reason() == "changed: raw.t"


@pytest.mark.usefixtures("refreshed")
def test_a_session_that_may_hold_back_counts_is_a_doubt(session, monkeypatch):
    monkeypatch.setattr(
        _change_detection, "IDLE_FLUSH_SECONDS", 0
    )  # no need to wait: it will not end
    run(session, "select 1")
    run(session, "begin; select 1")
    assert reason() == UNCOUNTED_CHANGES


def test_a_transaction_older_than_the_refresh_is_no_doubt(sql, session):
    sql(PLAIN)
    run(session, "begin; select 1")
    refresh(view(), "test")
    assert reason() is None
    run(session, "insert into raw.t values (20); commit")
    session.close()
    assert reason() == "changed: raw.t"


@pytest.mark.usefixtures("refreshed")
def test_a_session_that_can_not_be_seen_is_a_doubt(superuser):
    superuser("begin; select 1")
    assert reason() == UNCOUNTED_CHANGES


@pytest.mark.usefixtures("refreshed")
@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_a_skipped_view_is_up_to_date(sql, environment, seed):
    draw = random.Random(seed)  # noqa: S311
    query = "select raw.twice(e.id), date_trunc('day', e.at), p.id from analytics.even as e left join raw.parts as p on e.id = p.id"
    skipped = 0
    for step in range(8):
        statement = draw.choice(
            [
                f"insert into raw.t values ({100 + step})",
                f"update raw.t set at = at + interval '1 day' where id = {2 * draw.randint(1, 5)}",
                f"begin; delete from raw.t where id = {step}; rollback",
                f"insert into raw.parts values ({draw.randint(1, 10)})",
                "refresh materialized view concurrently analytics.kpi",
                "truncate raw.parts",
                "select 1",
                "vacuum raw.t",
            ]
        )
        with closing(connect(environment)) as connection:
            for part in statement.split(";"):
                run(connection, part)
        if reason() is None:
            skipped += 1
            kept = "select id, day, part from analytics.kpi"
            assert sql(f"({query}) except ({kept}) union all (({kept}) except ({query}))") == []
        else:
            refresh(view(), "test")
    assert skipped < 8
