-- Relations of the schemas, and whether their planner statistics are out of date: never analyzed, or
-- at least one row in a hundred changed since. A partitioned table counts the changes of its
-- partitions, and ANALYZE of it covers them.
with relations as (
    select
        c.oid,
        n.nspname::text as schema_name,
        c.relname::text as relation_name,
        c.relkind,
        c.relowner,
        c.relispopulated,
        greatest(c.reltuples, 0) as rows,
        coalesce(
            pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)
        ) as analyzed_at,
        pg_stat_get_mod_since_analyze(c.oid) as modified
    from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
    where n.nspname = any(:schemas) and c.relkind in ('r', 'm', 'p')
),
families as (
    select r.oid as root, leaf.rows, leaf.analyzed_at, leaf.modified, leaf.oid as member
    from relations as r
    cross join lateral pg_partition_tree(r.oid) as tree
    inner join relations as leaf on tree.relid = leaf.oid
    where r.relkind = 'p'
),
judged as (
    select
        r.*,
        r.relispopulated and (
            r.analyzed_at is null
            or coalesce(f.is_new, false)
            or coalesce(f.modified, r.modified) > 0.01 * coalesce(f.rows, r.rows)
        ) as is_due
    from relations as r
    left join (
        select root, bool_or(analyzed_at is null) as is_new, sum(modified) as modified, sum(rows) as rows
        from families group by root
    ) as f on r.oid = f.root
)
select
    oid::bigint as oid,
    schema_name,
    relation_name,
    format('%I.%I', schema_name, relation_name) as label,
    (
        pg_has_role(relowner, 'usage')
        or case
            when current_setting('server_version_num')::integer >= 170000
                then has_table_privilege(oid, 'maintain')
        end
        or (select pg_has_role(datdba, 'usage') from pg_database where datname = current_database())
    ) is true as is_ours,
    is_due
from judged
where not exists (
    select 1 from families as f
    inner join judged as parent on f.root = parent.oid and parent.is_due
    where f.member = judged.oid and f.root <> judged.oid
)
order by schema_name, relation_name;
