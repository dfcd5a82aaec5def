-- What a process left that was killed, or a run that gave up because the database was away.
select id
from ops.report_runs as run
where
    run.created_at > now() - interval '7 days'
    and (
        run.status = 'pending'
        or (
            run.status = 'running'
            and (run.lease_until < now() or not ops.report_worker_lives(run.lease_owner))
        )
    )
order by id
