"""refresh_catalog: the catalog equals what PostgreSQL holds, and every change of shape is kept."""

from contextlib import closing
from datetime import timedelta

import pytest

from analytics_worker.settings import settings
from flows.analytics import refresh_catalog
from flows.analytics.catalog import upsert_catalog
from tests.flows.analytics.conftest import connect, run

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def catalog(sql):
    """Bring it up to date; return one relation's row as a mapping."""

    def row(schema: str, relation: str):
        upsert_catalog.fn(settings().analytics_schemas)
        query = (
            "select to_jsonb(c) from ops.catalog as c where schema_name = %s and relation_name = %s"
        )
        return sql(query, (schema, relation))[0][0]

    return row


def changes(sql):
    return sql(
        "select relation_name, column_name, change, before, after from ops.catalog_changes"
        " where change <> 'relation appeared' order by 1, 2, 3"
    )


@pytest.mark.usefixtures("prefect_api")
def test_the_run_reports_what_there_is(sql):
    sql("create table raw.orders (id integer primary key, note text)")
    sql("create view analytics.notes as select note from raw.orders")
    result = refresh_catalog()
    assert result["status"] == "success"
    assert result["message"] == "2 relations with 3 columns (appeared: 2)"
    assert result["stats"]["kinds"] == {"table": 1, "view": 1}
    assert refresh_catalog()["message"] == "2 relations with 3 columns, no structural changes"


def test_a_row_says_what_postgresql_knows(sql, catalog):
    sql(
        "create table raw.orders (id integer primary key, note text);"
        "insert into raw.orders select i, 'x' from generate_series(1, 500) i; analyze raw.orders;"
        "comment on table raw.orders is 'One row per order'; comment on column raw.orders.note is 'Free text'"
    )
    row = catalog("raw", "orders")
    size = sql("select pg_total_relation_size('raw.orders')")[0][0]
    assert (row["kind"], row["status"], row["description"]) == (
        "table",
        "active",
        "One row per order",
    )
    assert (row["columns"], row["row_estimate"], row["bytes"]) == (2, 500, size)
    assert row["last_analyzed_at"]
    assert sql(
        "select column_name, position, data_type, nullable, description from ops.catalog_columns order by 2"
    ) == [("id", 1, "integer", False, None), ("note", 2, "text", True, "Free text")]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("create table analytics.it (a int)", "table"),
        ("create view analytics.it as select 1", "view"),
        ("create materialized view analytics.it as select 1", "materialized view"),
        ("create table analytics.it (a int) partition by range (a)", "partitioned table"),
    ],
)
def test_every_kind_of_relation_is_listed(sql, catalog, statement, kind):
    sql(statement)
    assert catalog("analytics", "it")["kind"] == kind


def test_a_partitioned_table_has_the_rows_and_bytes_of_its_partitions(sql, catalog):
    sql(
        "create table raw.events (day int) partition by range (day);"
        "create table raw.events_1 partition of raw.events for values from (0) to (100);"
        "create table raw.events_2 partition of raw.events for values from (100) to (200);"
        "insert into raw.events select i % 200 from generate_series(1, 1000) i; analyze raw.events"
    )
    row = catalog("raw", "events")
    parts = [catalog("raw", name) for name in ("events_1", "events_2")]
    assert row["row_estimate"] == 1000 == sum(part["row_estimate"] for part in parts)
    assert row["bytes"] == sum(part["bytes"] for part in parts) > 0


def test_changes_of_columns_are_recorded(sql, catalog):
    sql("create table raw.orders (id integer, note text, old date)")
    catalog("raw", "orders")
    sql(
        "alter table raw.orders alter note type varchar(20), alter id set not null, drop old,"
        " add total numeric(10, 2)"
    )
    catalog("raw", "orders")
    assert changes(sql) == [
        ("orders", "id", "nullability changed", "nullable", "not null"),
        ("orders", "note", "type changed", "text", "character varying(20)"),
        ("orders", "old", "column removed", "date", None),
        ("orders", "total", "column added", None, "numeric(10,2)"),
    ]


def test_a_column_at_the_position_of_another_one_is_that_one_renamed(sql, catalog):
    sql('create table raw.orders (id integer, "a b" text not null, old date, more int)')
    catalog("raw", "orders")
    sql(
        'alter table raw.orders rename "a b" to "Ä"; alter table raw.orders alter "Ä" drop not null'
    )
    sql("alter table raw.orders drop old, add new date")
    catalog("raw", "orders")
    assert changes(sql) == [
        ("orders", "a b", "column renamed", "a b", "Ä"),
        ("orders", "new", "column added", None, "date"),
        ("orders", "old", "column removed", "date", None),
        ("orders", "Ä", "nullability changed", "not null", "nullable"),
    ]
    sql(
        "drop table raw.orders; create table raw.orders (id integer, other text, new date, more int)"
    )
    catalog("raw", "orders")
    assert ("orders", "Ä", "column removed", "text", None) in changes(sql), (
        "another table is no evidence"
    )


def test_a_rebuilt_relation_of_the_same_shape_is_no_change(sql, catalog):
    sql("create table raw.orders (id integer, note text)")
    before = catalog("raw", "orders")
    sql("drop table raw.orders; create table raw.orders (id integer, note text)")
    after = catalog("raw", "orders")
    assert changes(sql) == []
    assert after["oid"] != before["oid"]
    assert after["first_seen_at"] == before["first_seen_at"]


def test_a_relation_that_vanished_is_missing_until_it_comes_back(sql, catalog):
    sql("create table raw.orders (id integer)")
    catalog("raw", "orders")
    sql("drop table raw.orders")
    gone = catalog("raw", "orders")
    assert (gone["status"], gone["columns"]) == ("missing", 1)
    assert gone["missing_since"]
    assert changes(sql) == [("orders", None, "relation vanished", "table", None)]
    sql("create view raw.orders as select 1 as id")
    back = catalog("raw", "orders")
    assert (back["status"], back["kind"], back["missing_since"]) == ("active", "view", None)


def test_only_rows_that_differ_are_written(sql, catalog):
    sql("create table raw.a (id integer); create table raw.b (id integer)")
    catalog("raw", "a")
    sql("insert into raw.a values (1)")
    stats = upsert_catalog.fn(settings().analytics_schemas)
    assert stats["rows_written"] == 1


def test_data_that_nobody_changes_grows_stale(sql, catalog, limits):
    sql("create table raw.orders (id integer)")
    catalog("raw", "orders")
    sql("update ops.catalog_relations set data_as_of = now() - interval '3 hours'")
    limits(catalog_stale_after_hours=2)
    assert catalog("raw", "orders")["status"] == "stale"
    age = sql("select now() - changed_at from ops.catalog")[0][0]
    assert timedelta(hours=3) <= age < timedelta(hours=4)
    sql("insert into raw.orders values (1)")
    assert catalog("raw", "orders")["status"] == "active"


def test_a_view_is_as_old_as_its_last_refresh_or_check(sql, catalog):
    sql("create materialized view analytics.kpi as select 1")
    sql(
        "insert into ops.refresh_log (schema_name, view_name, view_oid, status, reason, started_at, finished_at)"
        " select 'analytics', 'kpi', 1, status, '', at, at from (values"
        " ('success', timestamptz '2020-01-01 00:00Z'), ('unchanged', timestamptz '2099-01-01 00:00Z'))"
        " as entries (status, at)"
    )
    row = catalog("analytics", "kpi")
    assert row["last_refreshed_at"].startswith("2020-01-01")
    assert row["changed_at"].startswith("2099-01-01")
    assert (row["data_as_of"], row["age"]) == (None, None)


def test_the_data_is_as_of_the_instant_through_which_it_is_complete(sql, catalog):
    sql("create table raw.orders (id integer)")
    assert catalog("raw", "orders")["data_as_of"] is None
    complete = (
        "insert into ops.completeness (schema_name, relation_name, complete_through, basis, is_partial, measured_at)"
        " values ('raw', 'orders', '2026-11-25 12:00Z', %s, true, now()) on conflict (schema_name, relation_name)"
        " do update set basis = excluded.basis"
    )
    sql(complete, ("lineage",))
    row = catalog("raw", "orders")
    assert (row["data_as_of"], row["is_partial"]) == ("2026-11-25T12:00:00+00:00", True)
    sql(complete, ("last change",))
    row = catalog("raw", "orders")
    assert (row["data_as_of"], row["is_partial"]) == (None, False)


def test_a_locked_relation_does_not_hold_up_the_others(sql, catalog, environment, limits):
    sql("create table raw.busy (id integer); create table raw.idle (id integer)")
    limits(lock_timeout_seconds=1)
    with closing(connect(environment)) as other:
        run(other, "begin; alter table raw.busy add note text")
        assert catalog("raw", "idle")["status"] == "active"
        run(other, "rollback")


def test_other_schemas_are_left_out(sql, catalog):
    sql("create table public.private (id integer); create table raw.a (id integer)")
    catalog("raw", "a")
    assert sql("select relation_name from ops.catalog") == [("a",)]
