select
    count(*) filter (where status = 'active') as active,
    count(*) filter (where status = 'stale') as stale,
    count(*) filter (where status = 'missing') as missing,
    -- a partitioned table includes its partitions
    coalesce(sum(bytes) filter (where status <> 'missing' and kind <> 'partitioned table'), 0)::bigint as bytes,
    coalesce(
        (
            select jsonb_object_agg(kind, relations)
            from (
                select kind, count(*) as relations
                from ops.catalog_relations
                where status <> 'missing' and schema_name = any(:schemas)
                group by kind
            ) as by_kind
        ),
        '{}'
    ) as kinds
from ops.catalog_relations
where schema_name = any(:schemas);
