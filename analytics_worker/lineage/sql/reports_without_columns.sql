-- The reports whose SQL may read a column that was removed or renamed lately, with their statements. Those that are
-- known to be refused are left out.
with planned as materialized (
    select distinct r.relation ->> 0 as schema_name, r.relation ->> 1 as relation_name
    from ops.unit_reads as u
    cross join lateral jsonb_array_elements(u.relations) as r (relation)
    where u.kind = 'report' and u.definition_hash is not null
),

removed as (
    select k.schema_name, k.relation_name, k.column_name
    from planned as p
    inner join ops.catalog_columns as k
        on p.schema_name = k.schema_name and p.relation_name = k.relation_name
    union all
    select l.schema_name, l.relation_name, l.column_name
    from ops.catalog_changes as l
    where
        l.column_name is not null and l.change in ('column removed', 'column renamed')
        and l.changed_at > now() - interval '15 minutes'
),

missing as materialized (
    select r.schema_name, r.relation_name, r.column_name
    from removed as r
    inner join pg_namespace as n on r.schema_name = n.nspname
    inner join pg_class as c on n.oid = c.relnamespace and r.relation_name = c.relname
    where not exists (
        select from pg_attribute as a
        where c.oid = a.attrelid and r.column_name = a.attname and not a.attisdropped
    )
)

select
    d.name,
    d.definition ->> 'reader' as reader,
    coalesce(d.definition -> 'parameters', '{}') as parameters,
    (
        select jsonb_agg(distinct s.sql)
        from (
            select jsonb_path_query(d.definition, '$.**.sql')
            union all
            select jsonb_path_query(d.definition, '$.**.previous')
        ) as s (sql)
        where jsonb_typeof(s.sql) = 'string'
    ) as statements
from missing as m
inner join ops.unit_reads as u
    on u.kind = 'report' and u.definition_hash is not null
    and u.columns @> jsonb_build_array(jsonb_build_array(m.schema_name, m.relation_name, m.column_name))
inner join ops.report_definitions as d on u.name = d.name and d.enabled and d.retired_at is null
group by d.name, d.definition
limit 20
