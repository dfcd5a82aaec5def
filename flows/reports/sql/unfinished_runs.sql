-- Return the runs of the last 7 days, of some reports or of all, that no living worker has claimed: their
-- process was killed, or the database was unavailable. Those that were held count in any case, because they are
-- looked at independent of when the report is due, and may be held for longer.
select id
from ops.report_runs as run
where
    (run.created_at > now() - interval '7 days' or run.held_since is not null)
    and (
        cast(:reports as text []) is null
        or run.report = any(cast(:reports as text []))
        or run.held_since is not null
    )
    and (
        run.status = 'pending'
        or (
            run.status = 'running'
            and (run.lease_until < now() or not ops.report_worker_lives(run.lease_owner))
        )
    )
order by id
