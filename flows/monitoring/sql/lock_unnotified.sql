-- Lock failing deployments without a notification, so that one process at a time notifies.
select
    deployment, status, since, failures, last_run_id, last_ended_at, last_state,
    coalesce(last_message, '') as last_message, notified_since
from ops.deployment_health
where status = 'failing' and notified_since is distinct from since
order by deployment
for update;
