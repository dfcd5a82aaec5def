-- Claim a run that is pending or held, or whose worker died or let the lease expire.
update ops.report_runs as run
set
    status = 'running',
    attempts = run.attempts + 1,
    started_at = now(),
    lease_owner = :worker,
    lease_until = now() + make_interval(secs => :lease_seconds),
    flow_run_id = coalesce(cast(:flow_run_id as uuid), run.flow_run_id)
where
    run.id = :id
    and (
        run.status in ('pending', 'held')
        or (
            run.status = 'running'
            and (run.lease_until < now() or not ops.report_worker_lives(run.lease_owner))
        )
    )
returning
    run.id,
    run.report,
    run.kind,
    run.period,
    run.key,
    cast(run.definition as text) as definition,
    run.row_values,
    run.period_start,
    run.period_end,
    run.reason,
    run.attempts,
    run.created_at,
    run.due_at,
    run.held_since,
    run.unmet,
    -- Attachments of both have different names also where case does not matter.
    exists (
        select
        from ops.report_runs as earlier
        where
            earlier.report = run.report
            and earlier.period = run.period
            and earlier.id < run.id
            and lower(earlier.key) = lower(run.key)
    ) as differs_by_case
