insert into ops.deployment_health (
    deployment, status, since, failures, last_run_id, last_ended_at, last_state, last_message
)
select deployment, status, since, failures, last_run_id, last_ended_at, last_state, last_message
from jsonb_populate_recordset(cast(null as ops.deployment_health), cast(:rows as jsonb))
on conflict (deployment) do update set
    status = excluded.status,
    since = excluded.since,
    failures = excluded.failures,
    last_run_id = excluded.last_run_id,
    last_ended_at = excluded.last_ended_at,
    last_state = excluded.last_state,
    last_message = excluded.last_message;
