-- The declared event-time columns: what the server knows of each relation and column, and its last measurement.
-- trust.yml takes precedence over dbt.
with listed as (
    select d.schema_name, d.relation_name, d.column_name, d.timezone, d.origin, 1 as precedence
    from json_to_recordset(cast(:declarations as json)) as d (
        schema_name text, relation_name text, column_name text, timezone text, origin text
    )
    union all
    select schema_name, relation_name, event_time_column, 'UTC', 'dbt', 2
    from ops.dbt_relations
    where event_time_column is not null
),

declared as (
    select distinct on (schema_name, relation_name) *
    from listed
    order by schema_name, relation_name, precedence, column_name
)

select
    d.schema_name,
    d.relation_name,
    d.column_name,
    d.timezone,
    d.origin,
    c.relkind::text as relkind,
    format_type(a.atttypid, null) as column_type,
    coalesce(
        has_schema_privilege(:reader, n.oid, 'USAGE') and has_column_privilege(:reader, c.oid, a.attnum, 'SELECT'),
        false
    ) as is_readable,
    coalesce(k.bytes, 0) as bytes,
    i.method as index_method,
    case when c.relkind = 'p' then (
        select md5(string_agg(concat_ws(
            '/', t.relid::oid, pg_stat_get_tuples_inserted(t.relid), pg_stat_get_tuples_updated(t.relid),
            pg_stat_get_tuples_deleted(t.relid)
        ), ' ' order by t.relid::oid))
        from pg_partition_tree(c.oid) as t
    ) else concat_ws(
        '/', c.oid, c.relfilenode, pg_stat_get_tuples_inserted(c.oid), pg_stat_get_tuples_updated(c.oid),
        pg_stat_get_tuples_deleted(c.oid)
    ) end as modifications,
    case when m.column_name = d.column_name then m.modifications end as measured_modifications,
    case when m.column_name = d.column_name then m.latest_event end as latest_event,
    case when m.column_name = d.column_name then m.counted_from end as counted_from,
    case when m.column_name = d.column_name then m.complete_through end as complete_through,
    m.reason,
    coalesce(m.measured_at >= date_trunc('hour', now()), false) as is_of_this_hour,
    coalesce(m.retry_at > now(), false) as must_wait
from declared as d
left join pg_namespace as n on d.schema_name = n.nspname
left join pg_class as c
    on n.oid = c.relnamespace and d.relation_name = c.relname and c.relkind in ('r', 'p', 'm', 'v', 'f')
left join pg_attribute as a
    on c.oid = a.attrelid and d.column_name = a.attname and a.attnum > 0 and not a.attisdropped
left join ops.catalog_relations as k on d.schema_name = k.schema_name and d.relation_name = k.relation_name
left join ops.event_time_measurements as m
    on d.schema_name = m.schema_name and d.relation_name = m.relation_name
left join lateral (
    select am.amname::text as method
    from pg_index as x
    inner join pg_class as xc on x.indexrelid = xc.oid
    inner join pg_am as am on xc.relam = am.oid
    where
        x.indrelid = c.oid and x.indkey[0] = a.attnum and x.indisvalid and x.indpred is null
        and am.amname in ('btree', 'brin')
    order by am.amname desc
    limit 1
) as i on true
order by d.schema_name, d.relation_name
