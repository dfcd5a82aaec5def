-- Record lost runs. A run that repeats an earlier one belongs to the same request, and waits longer each time.
-- A run that was started again by a person may be lost again.
insert into ops.lost_requests as known (
    run_id, request_id, deployment, requested_at, ended_at, state, message, reruns, due_at
)
select
    lost.run_id,
    coalesce(before.request_id, lost.run_id),
    lost.deployment,
    coalesce(before.requested_at, lost.requested_at),
    lost.ended_at,
    lost.name,
    lost.message,
    coalesce(before.reruns + 1, 0),
    lost.ended_at + case
        when before.run_id is null then interval '0'
        else make_interval(mins => cast(4 ^ least(before.reruns, 5) as integer))
    end
from
    jsonb_to_recordset(cast(:runs as jsonb)) as lost (
        run_id uuid, deployment text, requested_at timestamptz, ended_at timestamptz, name text, message text
    )
left join ops.lost_requests as before on lost.run_id = before.next_run_id
on conflict (run_id) do update
    set
        status = 'waiting',
        state = excluded.state,
        message = excluded.message,
        ended_at = excluded.ended_at,
        due_at = excluded.due_at
    where known.status <> 'rerun';
