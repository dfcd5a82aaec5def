-- Record the result of a run. Its message is enqueued in the same transaction.
update ops.report_runs
set
    status = :status,
    reason = coalesce(:reason, reason),
    error = null,
    rows = :rows,
    truncated = :truncated,
    content_hash = :content_hash,
    storage = :storage,
    files = cast(:files as jsonb),
    bytes = :bytes,
    unverified = cast(:unverified as jsonb),
    held_parts = cast(:held_parts as jsonb),
    parts_held_until = :parts_held_until,
    finished_at = now(),
    lease_owner = null,
    lease_until = null
where id = :id and status = 'running' and lease_owner = :worker
returning id
