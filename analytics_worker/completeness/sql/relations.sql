-- The relations of the catalog: what feeds each, and its last builds.
with models as (
    select
        r.schema_name,
        r.relation_name,
        (array_agg(r.inputs))[1] as inputs,
        max(h.built_at) filter (where h.built_at > '-infinity') as built_at
    from ops.dbt_relations as r
    left join ops.dbt_node_health as h
        on r.schema_name = h.schema_name and r.relation_name = h.relation_name
        and h.database_name = current_database() and h.resource_type in ('model', 'snapshot')
    where r.inputs <> '[]'
    group by r.schema_name, r.relation_name
),

reads as (
    select
        r.ev_class as reader,
        json_agg(distinct jsonb_build_array(n.nspname, c.relname)) as inputs
    from pg_rewrite as r
    inner join pg_depend as d
        on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
    inner join pg_class as c on d.refobjid = c.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')
    inner join pg_namespace as n on c.relnamespace = n.oid
    where c.oid <> r.ev_class and n.nspname <> 'pg_catalog'
    group by r.ev_class
)

select
    k.schema_name,
    k.relation_name,
    k.kind = 'view' as is_view,
    k.kind = 'materialized view' or (k.kind <> 'view' and m.relation_name is not null) as is_built,
    coalesce(case when k.kind in ('view', 'materialized view') then r.inputs else m.inputs::json end, '[]') as inputs,
    case
        when k.kind = 'materialized view' then b.builds
        when m.built_at is not null then json_build_array(json_build_array(m.built_at, m.built_at))
    end as builds,
    k.data_as_of as last_change
from ops.catalog_relations as k
left join reads as r on k.oid = r.reader
left join models as m on k.schema_name = m.schema_name and k.relation_name = m.relation_name
left join lateral (
    select json_agg(json_build_array(l.started_at, l.finished_at) order by l.id desc) as builds
    from (
        select id, started_at, finished_at
        from ops.refresh_log
        where
            schema_name = k.schema_name and view_name = k.relation_name and view_oid = k.oid
            and status = 'success'
        order by id desc
        limit 5
    ) as l
) as b on k.kind = 'materialized view'
where k.status <> 'missing'
