"""refresh_materialized_views: views that do not wait for each other, and what they share."""

import os

import pytest

from flows.analytics import refresh_materialized_views

pytestmark = pytest.mark.usefixtures("prefect_api", "environment")

WORKERS = "select current_setting('max_parallel_workers_per_gather')::integer as workers"


def test_what_took_longest_last_time_begins_first(sql, limits):
    for name in ("a", "b", "c"):
        sql(f"create materialized view analytics.{name} as select 1 as id")
    limits(refresh_parallelism=1)
    refresh_materialized_views(["a", "b", "c"])
    sql("update ops.refresh_log set seconds = case view_name when 'b' then 9 when 'c' then 5 end")
    refresh_materialized_views(["a", "b", "c"])
    assert sql("select view_name from ops.refresh_log order by id offset 3") == [
        ("b",),
        ("c",),
        ("a",),
    ]


@pytest.mark.parametrize(
    ("cores", "names", "workers"),
    [
        (2, ["one", "two"], 0),
        (4, ["one", "two"], 1),
        (64, ["one", "two"], 2),  # never more than the server's own limit
        (2, ["one"], 2),
    ],
)
def test_queries_share_the_cores_of_this_host(sql, monkeypatch, cores, names, workers):
    for name in ("one", "two"):
        sql(f"create materialized view analytics.{name} as {WORKERS}")
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    refresh_materialized_views(names)
    for name in names:
        assert sql(f"select workers from analytics.{name}") == [(workers,)]
