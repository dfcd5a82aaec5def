-- Hold a claimed run. That is no attempt at generating it. The message to its owner is enqueued in the same
-- transaction.
update ops.report_runs
set
    status = 'held',
    held_since = coalesce(held_since, now()),
    unmet = cast(:unmet as jsonb),
    unmet_requirements = cast(:requirements as jsonb),
    reads = cast(:reads as jsonb),
    attempts = greatest(attempts - 1, 0),
    lease_owner = null,
    lease_until = null
where id = :id and status = 'running' and lease_owner = :worker
returning id
