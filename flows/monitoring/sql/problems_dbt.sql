-- Nodes of dbt whose last result is a failure or a warning. One with a relation in this database is that relation.
select
    case when r.is_relation then 'relation' else 'dbt' end as kind,
    case when r.is_relation then '' else h.unique_id end as name,
    h.schema_name,
    h.relation_name,
    case h.status when 'failing' then 'critical' else 'warning' end as severity,
    case h.status when 'failing' then h.since else h.warned_since end as since,
    coalesce(h.message, '') as message,
    h.owner,
    h.flow_run_id as run_id,
    'dbt ' || h.resource_type || ' ' || h.name as label
from ops.dbt_node_health as h
cross join lateral (
    select
        h.resource_type in ('model', 'seed', 'snapshot', 'source')
        and h.database_name in ('', current_database()) as is_relation
) as r
where h.status = 'failing' or h.warned_since is not null
