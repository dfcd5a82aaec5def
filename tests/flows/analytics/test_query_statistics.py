"""update_query_statistics: ANALYZE where it is due, and deltas of pg_stat_statements."""

import pytest

from flows.analytics import update_query_statistics
from flows.analytics._analyze import analyze_changed
from tests.flows.analytics.conftest import run

pytestmark = pytest.mark.usefixtures("environment")

SCHEMAS = ["raw", "analytics"]


@pytest.mark.usefixtures("prefect_api")
def test_the_run_says_what_was_not_available(sql):
    sql("create table raw.t (id integer)")
    result = update_query_statistics()
    assert result["relations"] == {"analyzed": ["raw.t"], "up_to_date": 0, "not_analyzed": []}
    assert result["message"] == (
        "1 relations analyzed, 0 up to date; pg_stat_statements is not installed in this database:"
        " an administrator can run CREATE EXTENSION pg_stat_statements"
    )
    assert result["status"] == "success"


def test_only_what_changed_is_analyzed(sql):
    sql(
        "create table raw.still as select i from generate_series(1, 1000) i;"
        "create table raw.busy as select i from generate_series(1, 1000) i;"
        "create table raw.calm as select i from generate_series(1, 1000) i;"
        "create view raw.plain as select 1; create materialized view analytics.empty as select 1 with no data"
    )
    assert analyze_changed(SCHEMAS)["analyzed"] == ["raw.busy", "raw.calm", "raw.still"]
    sql("update raw.busy set i = 0 where i < 20; update raw.calm set i = 0 where i < 5")
    again = analyze_changed(SCHEMAS)
    assert (again["analyzed"], again["up_to_date"]) == (["raw.busy"], 3)


def test_a_partitioned_table_is_analyzed_with_its_partitions(sql):
    sql(
        "create table raw.events (day int) partition by range (day);"
        "create table raw.events_1 partition of raw.events for values from (0) to (1000);"
        "insert into raw.events select generate_series(1, 100)"
    )
    assert analyze_changed(SCHEMAS)["analyzed"] == ["raw.events"]
    assert sql("select reltuples from pg_class where oid = 'raw.events_1'::regclass") == [(100,)]
    sql("insert into raw.events select generate_series(101, 200)")
    assert analyze_changed(SCHEMAS)["analyzed"] == ["raw.events"]
    assert analyze_changed(SCHEMAS)["analyzed"] == []


def test_what_can_not_be_analyzed_is_told_and_the_rest_goes_on(sql, session, superuser, limits):
    sql(
        "create table raw.locked (i int); create table raw.foreign (i int); create table raw.fine (i int)"
    )
    superuser("alter table raw.foreign owner to postgres")
    superuser(
        "do $$ begin execute format('alter database %I owner to postgres', current_database()); end $$"
    )
    limits(lock_timeout_seconds=1)
    run(session, "begin; lock table raw.locked")
    result = analyze_changed(SCHEMAS)
    assert result["analyzed"] == ["raw.fine"]
    reasons = {row["relation"]: row["reason"] for row in result["not_analyzed"]}
    assert reasons["raw.locked"] == "canceling statement due to lock timeout"
    assert reasons['raw."foreign"'].startswith("not allowed: its owner has to grant MAINTAIN")
