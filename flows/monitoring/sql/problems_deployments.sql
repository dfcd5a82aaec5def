-- Deployments whose last run failed.
select
    'deployment' as kind,
    deployment as name,
    case last_state when 'Partial' then 'warning' else 'critical' end as severity,
    since,
    coalesce(last_message, '') as message,
    null as owner,
    -- a run that crashed, or did not start, has no unit to blame
    case when last_state in ('Failed', 'Partial') then last_run_id end as run_id,
    deployment || ': ' || last_state as label
from ops.deployment_health
where status = 'failing'
