-- Take note of ends that were not noted before, one process at a time; forget those that no look back
-- reaches any more.
with turn as (
    select from ops.locks where name = 'deployment health' for update
),
forgotten as (
    delete from ops.judged_runs
    where ended_at < (select max(j.ended_at) from ops.judged_runs as j) - interval '1 day'
)
insert into ops.judged_runs (run_id, state_id, ended_at)
select r.run_id, r.state_id, r.ended_at
from turn, jsonb_to_recordset(cast(:ends as jsonb)) as r (
    run_id uuid, state_id uuid, ended_at timestamptz
)
on conflict do nothing
returning run_id, state_id;
