select
    deployment, status, since, failures, last_run_id, last_ended_at, last_state,
    coalesce(last_message, '') as last_message
from ops.deployment_health
where deployment = any(:deployments);
