-- Mark a run failed; if :final, use up its attempts so that it is not requeued. The message to its owner
-- is enqueued in the same transaction.
update ops.report_runs
set
    status = 'failed',
    error = :error,
    finished_at = now(),
    attempts = case when :final then greatest(attempts, :max_attempts) else attempts end,
    lease_owner = null,
    lease_until = null
where id = :id and status in ('pending', 'running')
returning id
