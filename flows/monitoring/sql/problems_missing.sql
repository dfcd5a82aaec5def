-- Relations that are read and do not exist. Whether the catalog found that, and who reads them. Those that only
-- dbt reads may be of another database, unless the catalog knows them.
with readers as (
    select u.kind, u.name, r.relation ->> 0 as schema_name, r.relation ->> 1 as relation_name
    from ops.unit_reads as u
    cross join lateral jsonb_array_elements(u.relations) as r (relation)
    where
        case u.kind
            when 'rule' then exists (
                select from ops.alert_rules as a
                where a.name = u.name and a.kind <> 'event' and a.enabled and a.retired_at is null
            )
            when 'report' then exists (
                select from ops.report_definitions as d
                where d.name = u.name and d.enabled and d.retired_at is null
            )
            else true
        end
    union all
    select 'relation', '', i.relation ->> 0, i.relation ->> 1
    from ops.dbt_relations as d
    cross join lateral jsonb_array_elements(d.inputs) as i (relation)
),

missing as (
    select
        r.schema_name,
        r.relation_name,
        jsonb_agg(distinct jsonb_build_array(r.kind, r.name)) filter (where r.kind in ('rule', 'report')) as readers
    from readers as r
    where
        r.schema_name is not null
        and r.relation_name is not null
        and not exists (
            select
            from pg_class as c
            inner join pg_namespace as n on c.relnamespace = n.oid
            where n.nspname = r.schema_name and c.relname = r.relation_name
        )
    group by r.schema_name, r.relation_name
)

select
    'relation' as kind,
    '' as name,
    m.schema_name,
    m.relation_name,
    'critical' as severity,
    k.missing_since as since,
    'it does not exist, and is read' as message,
    null as owner,
    null as run_id,
    m.schema_name || '.' || m.relation_name as label,
    coalesce(m.readers, '[]') as readers
from missing as m
left join ops.catalog_relations as k
    on m.schema_name = k.schema_name and m.relation_name = k.relation_name
where k.missing_since is not null or m.readers is not null
