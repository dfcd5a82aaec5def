-- What dbt said of tests that failed or warned.
select distinct on (h.unique_id)
    h.name,
    coalesce(h.message, '') as message,
    h.status = 'failing' as is_failed,
    h.last_result_at as ran_at
from ops.dbt_node_health as h
where
    h.resource_type in ('test', 'unit_test')
    and h.name = any(cast(:names as text []))
    and (h.status = 'failing' or h.warned_since is not null)
order by h.unique_id, (h.status = 'failing') desc
