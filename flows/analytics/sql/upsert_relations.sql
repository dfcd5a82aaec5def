-- Brings ops.catalog_relations in step with pg_class; writes only rows that differ.
-- Sizes cost most of the time, so they are read only where the storage may have changed, and never
-- of locked relations: reading them would wait for the lock.
with locked as (
    select relation
    from pg_locks
    where locktype = 'relation' and mode = 'AccessExclusiveLock' and relation is not null
),
indexed as (
    select i.indrelid, sum(x.relfilenode::bigint) + sum(x.relpages) as relations
    from pg_index as i
    inner join pg_class as x on i.indexrelid = x.oid
    group by i.indrelid
),
refreshed as (
    select
        schema_name,
        view_name,
        max(finished_at) filter (where status = 'success') as last_refreshed_at,
        max(started_at) as up_to_date_at
    from ops.refresh_log
    where status in ('success', 'unchanged')
    group by schema_name, view_name
),
found as materialized (
    select
        n.nspname::text as schema_name,
        c.relname::text as relation_name,
        c.oid,
        c.relkind,
        case c.relkind
            when 'r' then 'table'
            when 'p' then 'partitioned table'
            when 'v' then 'view'
            when 'm' then 'materialized view'
            else 'foreign table'
        end as kind,
        d.description,
        -- -1: never counted
        case when c.relkind in ('r', 'm') and c.reltuples >= 0 then c.reltuples::bigint end as rows,
        case when c.relkind in ('r', 'm') then concat_ws(
            '/',
            c.relfilenode,
            c.relpages,
            i.relations,
            pg_stat_get_tuples_inserted(c.oid),
            pg_stat_get_tuples_updated(c.oid),
            pg_stat_get_tuples_deleted(c.oid),
            pg_stat_get_vacuum_count(c.oid),
            pg_stat_get_autovacuum_count(c.oid)
        ) end as storage,
        case when c.relkind in ('r', 'm') then concat_ws(
            '/',
            c.relfilenode,
            pg_stat_get_tuples_inserted(c.oid),
            pg_stat_get_tuples_updated(c.oid),
            pg_stat_get_tuples_deleted(c.oid)
        ) end as modifications,
        greatest(
            pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)
        ) as analyzed_at
    from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
    left join pg_description as d
        on c.oid = d.objoid and d.classoid = 'pg_class'::regclass and d.objsubid = 0
    left join indexed as i on c.oid = i.indrelid
    where n.nspname = any(:schemas) and c.relkind in ('r', 'p', 'v', 'm', 'f')
),
measured as materialized (
    select
        f.oid,
        f.relkind,
        f.rows,
        f.modifications,
        case
            when f.storage = k.storage or f.oid in (select relation from locked) then k.bytes
            when f.storage is not null then pg_total_relation_size(f.oid)
        end as bytes,
        case
            when f.oid in (select relation from locked) then k.storage
            else f.storage
        end as storage
    from found as f
    left join ops.catalog_relations as k
        on f.schema_name = k.schema_name and f.relation_name = k.relation_name
),
partitioned as (
    select
        root.oid,
        sum(leaf.rows)::bigint as rows,
        sum(leaf.bytes)::bigint as bytes,
        md5(string_agg(leaf.modifications, ' ' order by leaf.oid)) as modifications
    from measured as root
    cross join lateral pg_partition_tree(root.oid) as tree
    inner join measured as leaf on tree.relid = leaf.oid
    where root.relkind = 'p'
    group by root.oid
),
columns as (
    select f.oid, count(a.attnum)::integer as columns
    from found as f
    left join pg_attribute as a on f.oid = a.attrelid and a.attnum > 0 and not a.attisdropped
    group by f.oid
),
known as (
    select f.*, k.status as status_before, k.kind as kind_before, c.columns,
        m.storage as measured_storage,
        coalesce(p.rows, f.rows) as row_estimate,
        coalesce(p.bytes, m.bytes) as total_bytes,
        coalesce(p.modifications, f.modifications) as modified,
        coalesce(r.last_refreshed_at, k.last_refreshed_at) as refreshed_at,
        case when f.relkind in ('r', 'p', 'm') then
            greatest(
                r.up_to_date_at,
                case
                    when k.modifications is not distinct from coalesce(p.modifications, f.modifications)
                        then k.data_as_of
                    else now()
                end
            )
        end as data_as_of
    from found as f
    inner join measured as m on f.oid = m.oid
    inner join columns as c on f.oid = c.oid
    left join partitioned as p on f.oid = p.oid
    left join refreshed as r on f.schema_name = r.schema_name and f.relation_name = r.view_name
    left join ops.catalog_relations as k
        on f.schema_name = k.schema_name and f.relation_name = k.relation_name
),
upserted as (
    insert into ops.catalog_relations as k (
        schema_name, relation_name, oid, kind, description, columns, row_estimate, bytes,
        storage, modifications, last_analyzed_at, last_refreshed_at, data_as_of, status
    )
    select
        schema_name, relation_name, oid, kind, description, columns, row_estimate, total_bytes,
        measured_storage, modified, analyzed_at, refreshed_at, data_as_of,
        case
            when data_as_of < now() - make_interval(secs => :stale_after_seconds) then 'stale'
            else 'active'
        end
    from known
    order by schema_name, relation_name
    on conflict (schema_name, relation_name) do update set
        oid = excluded.oid,
        kind = excluded.kind,
        description = excluded.description,
        columns = excluded.columns,
        row_estimate = excluded.row_estimate,
        bytes = excluded.bytes,
        storage = excluded.storage,
        modifications = excluded.modifications,
        last_analyzed_at = excluded.last_analyzed_at,
        last_refreshed_at = excluded.last_refreshed_at,
        data_as_of = excluded.data_as_of,
        status = excluded.status,
        missing_since = null,
        updated_at = now()
    where (
        k.oid, k.kind, k.description, k.columns, k.row_estimate, k.bytes, k.storage,
        k.modifications, k.last_analyzed_at, k.last_refreshed_at, k.data_as_of, k.status
    ) is distinct from (
        excluded.oid, excluded.kind, excluded.description, excluded.columns, excluded.row_estimate,
        excluded.bytes, excluded.storage, excluded.modifications, excluded.last_analyzed_at,
        excluded.last_refreshed_at, excluded.data_as_of, excluded.status
    )
    returning k.schema_name
),
vanished as (
    update ops.catalog_relations as k
    set status = 'missing', missing_since = now(), updated_at = now()
    where k.status <> 'missing' and not exists (
        select 1 from found as f
        where f.schema_name = k.schema_name and f.relation_name = k.relation_name
    )
    returning k.schema_name, k.relation_name, k.kind
),
changes as (
    insert into ops.catalog_changes (schema_name, relation_name, change, before, after)
    select schema_name, relation_name, 'relation appeared', null, kind
    from known where status_before is null or status_before = 'missing'
    union all
    select schema_name, relation_name, 'kind changed', kind_before, kind
    from known where status_before <> 'missing' and kind_before <> kind
    union all
    select schema_name, relation_name, 'relation vanished', kind, null from vanished
    returning change
)
select
    (select count(*) from found) as relations,
    (select count(*) from upserted) as written,
    count(*) filter (where change = 'relation appeared') as appeared,
    count(*) filter (where change = 'relation vanished') as vanished
from changes;
