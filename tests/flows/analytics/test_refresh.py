"""refresh_materialized_views: order, modes, reasons, and what it leaves in the log."""

import asyncio
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.sorting import TaskRunSort

from flows.analytics import refresh_materialized_views
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.usefixtures("prefect_api", "environment")

CHAIN = """
create table raw.orders (id integer primary key, amount integer);
insert into raw.orders select i, i from generate_series(1, 10) i;
create materialized view analytics.z_orders as select id, amount from raw.orders;
create unique index on analytics.z_orders (id);
create view analytics.big_orders as select * from analytics.z_orders where amount > 5;
create materialized view analytics.totals as select sum(amount) as total from analytics.big_orders;
"""


def by_view(result):
    return {row["view"]: row for row in result["results"]}


def test_without_views_it_says_so():
    result = refresh_materialized_views()
    assert (result["status"], result["message"]) == ("success", "No materialized views to refresh")
    assert result["summary"] == {"total": 0, "successful": 0, "failed": 0, "skipped": 0}
    assert refresh_materialized_views([])["results"] == []


def test_views_behind_a_view_come_first_even_through_plain_views(sql):
    sql(CHAIN)
    sql("insert into raw.orders values (11, 1000)")
    result = refresh_materialized_views()
    assert result["message"] == "2 materialized views: 2 refreshed"
    assert sql("select total from analytics.totals") == [(1040,)]
    assert sql("select view_name, status from ops.refresh_log order by id") == [
        ("z_orders", "success"),
        ("totals", "success"),
    ]


def test_the_result_says_how_and_why(sql):
    sql(CHAIN)
    rows = by_view(refresh_materialized_views(["z_orders", "analytics.totals"]))
    orders, totals = rows["analytics.z_orders"], rows["analytics.totals"]
    assert (orders["mode"], orders["reason"], orders["rows"]) == (
        "concurrently",
        "named by the caller",
        10,
    )
    assert totals["mode"] == "plain"
    assert (
        totals["reason"]
        == "named by the caller; plain, because no unique index covers all its rows"
    )
    assert (totals["rows"], totals["error"]) == (1, None)
    assert totals["bytes"] == sql("select pg_total_relation_size('analytics.totals')")[0][0]
    logged = sql(
        "select view_name, mode, reason, rows, bytes, error, seconds >= 0, wait_seconds,"
        " finished_at >= started_at, flow_run_id is not null from ops.refresh_log order by id"
    )
    assert logged == [
        (
            "z_orders",
            "concurrently",
            orders["reason"],
            10,
            orders["bytes"],
            None,
            True,
            0,
            True,
            True,
        ),
        ("totals", "plain", totals["reason"], 1, totals["bytes"], None, True, 0, True, True),
    ]


@pytest.mark.parametrize(
    ("index", "mode"),
    [
        ("create unique index on analytics.kpi (id)", "concurrently"),
        ("create index on analytics.kpi (id)", "plain"),
        ("create unique index on analytics.kpi (id) where id > 0", "plain"),
        ("create unique index on analytics.kpi (abs(id))", "plain"),
        ("refresh materialized view analytics.kpi with no data", "plain"),
    ],
)
def test_only_what_postgresql_allows_is_refreshed_concurrently(sql, index, mode):
    sql("create materialized view analytics.kpi as select 1 as id")
    sql(index)
    result = refresh_materialized_views(["kpi"])
    assert result["results"][0]["mode"] == mode
    assert sql("select * from analytics.kpi") == [(1,)]


def test_odd_names_work(sql, limits):
    sql(
        'create schema "Sales Data"; create materialized view "Sales Data"."Odd ""100% :Name" as select 1 as a'
    )
    sql('create unique index on "Sales Data"."Odd ""100% :Name" (a)')
    limits(analytics_schemas="raw,Sales Data")
    result = refresh_materialized_views(['"Sales Data"."Odd ""100% :Name"'])
    assert result["results"][0]["view"] == '"Sales Data"."Odd ""100% :Name"'
    assert result["results"][0]["rows"] == 1


def test_an_unknown_name_refreshes_nothing(sql):
    sql(CHAIN)
    state = refresh_materialized_views(["z_orders", "nope"], return_state=True)
    assert state.is_failed()
    assert state.message == (
        "No materialized view found: 'nope'; expected one of: analytics.totals, analytics.z_orders"
    )
    assert sql("select count(*) from ops.refresh_log") == [(0,)]


def test_a_view_that_fails_is_named_and_does_not_fail_those_that_are_up_to_date(sql, limits):
    sql(CHAIN)
    refresh_materialized_views()
    sql("create materialized view analytics.broken as select 1 / 0 as share with no data")
    limits()  # the pool's sessions end, as those of another process would
    state = refresh_materialized_views(return_state=True)
    assert state.name == "Partial"
    assert state.message.startswith(
        "3 materialized views: 0 refreshed, 2 skipped, 1 failed. analytics.broken: "
    )


def test_unchanged_views_are_skipped_and_the_run_says_so(sql, limits):
    sql(CHAIN)
    refresh_materialized_views()
    limits()  # the pool's sessions end, as those of another process would
    result = refresh_materialized_views()
    assert result["message"] == "2 materialized views: 0 refreshed, 2 skipped"
    assert {row["reason"] for row in result["results"]} == {"no input changed"}
    assert sql("select count(*) from ops.refresh_log where status = 'unchanged'") == [(2,)]
    sql("insert into raw.orders values (11, 1000)")
    rows = by_view(refresh_materialized_views())
    assert rows["analytics.z_orders"]["reason"] == "changed: raw.orders"
    assert "refreshed: analytics.z_orders" in rows["analytics.totals"]["reason"]
    assert sql("select total from analytics.totals") == [(1040,)]


async def _tasks(flow_run_id):
    only = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(flow_run_id)]))
    async with get_client() as client:
        runs = await client.read_task_runs(flow_run_filter=only, sort=TaskRunSort.ID_DESC)
    return {run.name for run in runs}


def test_the_ui_shows_a_task_for_each_view(sql):
    sql(CHAIN)
    refresh_materialized_views(["z_orders", "totals"])
    flow_run_id = sql("select distinct flow_run_id::text from ops.refresh_log")[0][0]
    expected = {"refresh analytics.z_orders", "refresh analytics.totals"}
    wait_until(lambda: expected <= asyncio.run(_tasks(flow_run_id)), timeout=30)
