"""Complete through: declared columns, views as of their refresh, and what can't be measured."""

import json

import pytest

from analytics_worker.prefect_support.results import RunFailed
from flows.analytics import refresh_catalog, refresh_materialized_views

pytestmark = pytest.mark.usefixtures("environment", "prefect_api")

READABLE = "grant select on all tables in schema raw, analytics to analytics_reader"


@pytest.fixture
def trust(monkeypatch, tmp_path):
    """Write definitions/trust.yml."""
    folder = tmp_path / "definitions"
    folder.mkdir()
    monkeypatch.setattr("analytics_worker.completeness.trust_file.project_root", lambda: tmp_path)

    def write(content):
        (folder / "trust.yml").write_text(content)

    return write


def failed_refresh():
    """The result of a refresh of the catalog that is not successful."""
    with pytest.raises(RunFailed) as error:
        refresh_catalog()
    result = error.value.result
    assert result
    assert result["status"] == "partial"
    return result


def completeness(sql):
    rows = sql(
        "select relation_name, to_char(complete_through at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), basis, is_partial"
        " from ops.completeness order by 1"
    )
    return {name: tuple(rest) for name, *rest in rows}


def test_a_view_is_complete_through_what_its_source_was_when_it_was_refreshed(sql, trust):
    trust("watermark: {raw.orders: created_at}")
    sql("create table raw.orders (created_at timestamptz); create table raw.lookup (n int)")
    sql("insert into raw.orders values ('2026-11-25 12:00+00'), (now() + interval '1 year')")
    sql("create materialized view analytics.orders_kpis as select count(*) from raw.orders")
    sql("create view analytics.live as select created_at from raw.orders cross join raw.lookup")
    sql("create materialized view analytics.above as select * from analytics.orders_kpis")
    sql(READABLE)
    assert refresh_materialized_views()["status"] == "success"
    assert refresh_catalog()["not_measured"] == []
    noon = ("2026-11-25 12:00", "lineage", False)
    assert completeness(sql) | {"lookup": None} == {
        "orders": ("2026-11-25 12:00", "declared column", False),
        "orders_kpis": noon,
        "above": noon,
        "live": ("2026-11-25 12:00", "lineage", True),
        "lookup": None,
    }
    sql("insert into raw.orders values ('2026-11-25 18:00+00')")
    refresh_catalog()
    found = completeness(sql)
    assert found["orders"][0] == found["live"][0] == "2026-11-25 18:00"
    assert found["orders_kpis"] == found["above"] == noon
    refresh_materialized_views()
    refresh_catalog()
    assert completeness(sql)["above"][0] == "2026-11-25 18:00"


def test_types_and_time_zones(sql, trust):
    trust(
        "timezone: Europe/Berlin\nwatermark:\n  raw.days: day\n"
        '  raw.naive: {column: at, timezone: America/New_York}\n  raw."Odd.Name": "a:b"\n'
    )
    sql("create table raw.days (day date); insert into raw.days values ('2026-07-01')")
    sql("create table raw.naive (at timestamp); insert into raw.naive values ('2026-07-01 12:00')")
    sql(
        'create table raw."Odd.Name" ("a:b" timestamptz); insert into raw."Odd.Name" values (\'2026-07-01Z\')'
    )
    sql(READABLE)
    assert refresh_catalog()["not_measured"] == []
    found = completeness(sql)
    assert found["days"][0] == "2026-07-01 22:00"
    assert found["naive"][0] == "2026-07-01 16:00"
    assert found["Odd.Name"][0] == "2026-07-01 00:00"


def test_what_cannot_be_measured_has_a_reason_and_stops_no_other(sql, trust):
    names = ["missing", "no_column", "text", "naive", "secret", "seen", "empty"]
    trust("watermark:\n" + "".join(f"  raw.{each}: at\n" for each in names))
    sql("create table raw.no_column (n int); create table raw.text (at text)")
    sql("create table raw.naive (at timestamp); create table raw.secret (at timestamptz)")
    sql("create table raw.seen (at timestamptz); create table raw.empty (at timestamptz)")
    sql("insert into raw.seen values ('2026-11-25 12:00+00')")
    sql(READABLE + "; revoke select on raw.secret from analytics_reader")
    result = failed_refresh()
    text = "\n".join(result["not_measured"])
    assert "raw.missing: there is no such relation" in text
    assert "raw.no_column: it has no column 'at'" in text
    assert "raw.text: the column 'at' is text; expected a date or a timestamp" in text
    assert "raw.naive: 'at' has no time zone" in text
    assert "raw.secret: the reader may not read it" in text
    assert "raw.empty" not in text
    assert "raw.seen" not in text
    assert completeness(sql)["seen"] == ("2026-11-25 12:00", "declared column", False)
    assert completeness(sql)["secret"][1] == "last change"


def test_a_large_table_without_an_index_is_not_scanned(sql, trust, monkeypatch):
    monkeypatch.setattr("analytics_worker.completeness.measure.MAX_SCANNED_BYTES", 8192)
    trust("watermark: {raw.large: at}")
    sql(
        "create table raw.large as select timestamptz '2026-11-01' as at from generate_series(1, 1000)"
    )
    sql(READABLE)
    (problem,) = failed_refresh()["not_measured"]
    assert "without an index on 'at'; create one" in problem
    sql("create index on raw.large (at)")
    assert refresh_catalog()["not_measured"] == []


def test_an_invalid_file_is_reported_and_the_catalog_is_still_refreshed(sql, trust):
    trust("watermark: {orders: at}")
    sql("create table raw.orders (at timestamptz)")
    result = failed_refresh()
    assert "trust.yml:1" in result["message"]
    assert result["stats"]["relations"] == 1


def test_columns_that_dbt_declares(sql, trust):
    sql("create table raw.orders (at timestamptz); insert into raw.orders values ('2026-11-25Z')")
    sql("create table analytics.model as select * from raw.orders")
    sql(READABLE)
    rows = [("orders", "at", []), ("model", None, [["raw", "orders"]])]
    for name, column, inputs in rows:
        schema = "analytics" if name == "model" else "raw"
        sql(
            "insert into ops.dbt_relations values ('p', %s, %s, %s, %s)",
            (schema, name, column, json.dumps(inputs)),
        )
    refresh_catalog()
    sql(
        "insert into ops.dbt_node_health (unique_id, database_name, schema_name, relation_name, project,"
        " resource_type, name, built_at) values ('model.p.model', current_database(), 'analytics', 'model', 'p',"
        " 'model', 'model', now())"
    )
    refresh_catalog()
    assert completeness(sql)["orders"] == ("2026-11-25 00:00", "declared column", False)
    assert completeness(sql)["model"] == ("2026-11-25 00:00", "lineage", False)
    trust("watermark: {raw.orders: other}")
    assert "no column 'other'" in failed_refresh()["not_measured"][0]


def test_the_rows_that_the_pattern_expects_are_stored(sql, trust):
    """Ten rows in each hour of five weeks, until noon of yesterday."""
    trust("watermark: {raw.orders: created_at}")
    noon = "date_trunc('day', now(), 'UTC') - interval '12 hours'"
    sql(
        f"create table raw.orders as select {noon} - n * interval '6 minutes' - interval '1 second' as created_at"
        " from generate_series(0, 8400) as n"
    )
    sql(READABLE)
    refresh_catalog()
    missing = "select round(ops.missing_rows('raw.orders', {}, {})) from ops.completeness where relation_name = 'orders'"
    midnight = "date_trunc('day', now(), 'UTC')"
    assert sql(missing.format("complete_through", midnight)) == [(120.0,)]
    assert sql(missing.format("complete_through", f"{noon}")) == [(0.0,)]
    assert sql(missing.format(f"{noon} - interval '2 hours'", midnight)) == [(140.0,)]
    assert sql(missing.format("complete_through", "now() + interval '1 day'")) == [(None,)]
