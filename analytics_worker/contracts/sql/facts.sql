-- What the server knows of a relation: columns, keys, indexes, size, and counters that differ once its data changed.
-- Of each declared type: its oid and its modifier. One row; without a relation, its kind is null.
select
    c.relkind::text as relkind,
    coalesce(
        (
            select json_object_agg(
                a.attname,
                json_build_object(
                    'type', format_type(a.atttypid, a.atttypmod),
                    'oid', a.atttypid::bigint,
                    'not_null', a.attnotnull,
                    -- types of extensions and users come with operators of their own; enums don't
                    'is_built_in', a.atttypid < 16384 or t.typtype = 'e'
                )
            )
            from pg_attribute as a
            inner join pg_type as t on a.atttypid = t.oid
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        ),
        '{}'
    ) as columns,
    coalesce(
        (
            select json_agg(k.names)
            from pg_index as i
            cross join lateral (
                select array_agg(a.attname::text) as names
                from unnest(i.indkey[0:i.indnkeyatts - 1]) as p (number)
                inner join pg_attribute as a on i.indrelid = a.attrelid and a.attnum = p.number
            ) as k
            where
                i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate
                and i.indpred is null and i.indexprs is null
        ),
        '[]'
    ) as keys,
    coalesce(
        (
            select json_agg(distinct a.attname)
            from pg_index as i
            inner join pg_class as x on i.indexrelid = x.oid
            inner join pg_am as m on x.relam = m.oid and m.amname = 'btree'
            inner join pg_attribute as a on i.indrelid = a.attrelid and a.attnum = i.indkey[0]
            where i.indrelid = c.oid and i.indisvalid and i.indpred is null
        ),
        '[]'
    ) as indexed,
    coalesce(
        (
            select sum(p.relpages::bigint) * current_setting('block_size')::bigint
            from pg_class as p
            where p.oid = c.oid or p.oid in (select t.relid from pg_partition_tree(c.oid) as t)
        ),
        0
    )::bigint as bytes,
    case when c.relkind in ('r', 'm', 'p') then (
        select md5(string_agg(concat_ws(
            '/', p.oid, p.relfilenode, pg_stat_get_tuples_inserted(p.oid), pg_stat_get_tuples_updated(p.oid),
            pg_stat_get_tuples_deleted(p.oid)
        ), ' ' order by p.oid))
        from pg_class as p
        where p.oid = c.oid or p.oid in (select t.relid from pg_partition_tree(c.oid) as t)
    ) end as modifications,
    (
        select json_object_agg(t.name, to_regtype(regexp_replace(t.name, '\(.*?\)', ''))::oid::bigint)
        from unnest(cast(:types as text [])) as t (name)
    ) as types
from (select 1) as one
left join (
    pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid and n.nspname = :schema_name
) on c.relname = :relation_name and c.relkind in ('r', 'p', 'm', 'v', 'f')
