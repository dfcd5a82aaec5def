-- Record run ends that were not recorded before, one process at a time. Delete those that are older than
-- any later search reaches.
with health_lock as (
    select from ops.locks where name = 'deployment health' for update
),
expired as (
    delete from ops.judged_runs
    where ended_at < (select max(j.ended_at) from ops.judged_runs as j) - interval '1 day'
)
insert into ops.judged_runs (run_id, state_id, ended_at)
select r.run_id, r.state_id, r.ended_at
from health_lock, jsonb_to_recordset(cast(:ends as jsonb)) as r (
    run_id uuid, state_id uuid, ended_at timestamptz
)
on conflict do nothing
returning run_id, state_id;
