-- Nobody tries this report again by himself; in the same transaction its owner is notified.
update ops.report_runs
set
    status = 'failed',
    error = :error,
    finished_at = now(),
    attempts = case when :final then greatest(attempts, :most_attempts) else attempts end,
    lease_owner = null,
    lease_until = null
where id = :id and status in ('pending', 'running')
returning id
