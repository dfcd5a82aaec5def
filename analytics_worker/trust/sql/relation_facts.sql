-- Through which instant each relation is complete, when it last changed, and when dbt last built it.
with models as (
    select
        schema_name,
        relation_name,
        max(built_at) filter (where built_at > '-infinity') as built_at
    from ops.dbt_node_health
    where
        resource_type in ('model', 'seed', 'snapshot')
        and database_name in ('', current_database())
    group by schema_name, relation_name
)

select
    k.schema_name,
    k.relation_name,
    k.kind = 'materialized view' or (k.kind <> 'view' and m.relation_name is not null) as is_built,
    coalesce(k.data_as_of, case c.basis when 'last change' then c.complete_through end) as last_change,
    m.built_at,
    case when c.basis in ('declared column', 'lineage') then c.complete_through end as complete_through,
    coalesce(c.is_partial, false) as is_partial,
    c.limited_by
from ops.catalog_relations as k
left join ops.completeness as c on k.schema_name = c.schema_name and k.relation_name = c.relation_name
left join models as m on k.schema_name = m.schema_name and k.relation_name = m.relation_name
where k.status <> 'missing'
