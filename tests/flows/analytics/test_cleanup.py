"""cleanup_old_refresh_logs: in batches, by age, and never what is still needed."""

import pytest

from flows.analytics import cleanup_old_refresh_logs, refresh_log

pytestmark = pytest.mark.usefixtures("prefect_api", "environment")

OLD = """
create materialized view analytics.kpi as select 1;
insert into ops.refresh_log (schema_name, view_name, view_oid, status, reason, started_at)
select 'analytics', 'kpi', 'analytics.kpi'::regclass, case when i % 2 = 0 then 'success' else 'failed' end,
    '', now() - make_interval(days => 100 - i)
from generate_series(1, 60) i;
insert into ops.refresh_log (schema_name, view_name, view_oid, status, reason, started_at)
values ('analytics', 'kpi', 'analytics.kpi'::regclass, 'running', '', now() - interval '90 days'),
    ('analytics', 'dropped', 1, 'success', '', now() - interval '90 days'),
    ('analytics', 'other', 'analytics.kpi'::regclass, 'failed', '', now());
insert into ops.completeness_history (schema_name, relation_name, since)
select 'raw', 'x', now() - make_interval(days => d) from unnest(array[50, 45, 1]) as d;
insert into ops.catalog_changes (schema_name, relation_name, change, changed_at)
values ('raw', 'a', 'relation appeared', now() - interval '31 days'), ('raw', 'a', 'relation vanished', now());
insert into ops.catalog_relations (schema_name, relation_name, oid, kind, columns, status, missing_since)
values ('raw', 'gone', 1, 'table', 1, 'missing', now() - interval '31 days'),
    ('raw', 'away', 1, 'table', 1, 'missing', now()), ('raw', 'here', 1, 'table', 1, 'active', null);
insert into ops.catalog_columns (schema_name, relation_name, column_name, position, data_type, nullable)
select 'raw', relation_name, 'a', 1, 'text', true from ops.catalog_relations;
insert into ops.query_texts (query_id, query, first_seen_at) values (1, 'a', '2020-01-01'), (2, 'b', '2020-01-01');
insert into ops.query_statistics
select at, 1, query_id, 'r', true, at, 1, 1, 1, 1, 1, 1, 1, 1
from (values (1, now() - interval '31 days'), (2, now())) as v (query_id, at);
insert into ops.dbt_runs (command, started_at, status) values ('run', now() - interval '31 days', 'success');
insert into ops.dbt_node_results (run_id, unique_id, resource_type, name, status) select id, 'x', '', '', '' from ops.dbt_runs;
"""
EXPECTED = {
    "refresh_log": 60,
    "catalog_changes": 1,
    "completeness_history": 1,
    "missing_relations": 1,
    "query_statistics": 1,
    "query_texts": 1,
    "dbt_runs": 1,
}


def test_old_rows_go_and_what_is_needed_stays(sql, monkeypatch):
    sql(OLD)
    monkeypatch.setattr(refresh_log, "BATCH_SIZE", 7)
    result = cleanup_old_refresh_logs()
    assert result["deleted"] == EXPECTED
    assert result["message"] == "66 rows older than 30 days deleted"
    assert sql("select view_name, status from ops.refresh_log order by id") == [
        ("kpi", "success"),  # the next run compares with it
        ("kpi", "running"),
        ("other", "failed"),
    ]
    assert sql("select relation_name from ops.catalog_relations order by 1") == [
        ("away",),
        ("here",),
    ]
    assert sql("select count(*) from ops.catalog_columns") == [(2,)]
    assert sql("select query_id from ops.query_texts") == [(2,)]
    assert sql("select count(*) from ops.dbt_node_results") == [(0,)]
    assert cleanup_old_refresh_logs()["total"] == 0


def test_a_dry_run_only_counts(sql):
    sql(OLD)
    result = cleanup_old_refresh_logs(dry_run=True)
    assert result["deleted"] == EXPECTED | {"query_texts": 0}  # still referred to
    assert sql("select count(*) from ops.refresh_log") == [(63,)]


def test_the_age_comes_from_the_settings(sql, limits):
    sql(OLD)
    limits(refresh_log_retention_days=96)
    assert cleanup_old_refresh_logs()["deleted"]["refresh_log"] == 4
