-- Promises that are at risk or broken.
select
    'promise' as kind,
    p.name,
    '' as schema_name,
    '' as relation_name,
    case p.state when 'broken' then 'critical' else 'warning' end as severity,
    p.state_since as since,
    p.message,
    coalesce(
        p.owner,
        (
            select max(h.owner)
            from ops.dbt_node_health as h
            where
                p.kind = 'relation' and h.schema_name = p.schema_name and h.relation_name = p.relation_name
                and h.resource_type <> 'test'
        )
    ) as owner,
    null as run_id,
    'promise of ' || p.name as label
from ops.promises as p
where p.state in ('at risk', 'broken')
