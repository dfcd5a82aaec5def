update ops.lost_requests
set
    status = :status,
    next_run_id = cast(:next_run_id as uuid),
    reason = :reason,
    due_at = case when :status = 'waiting' then now() + interval '1 minute' else due_at end
where run_id = cast(:run_id as uuid) and status = 'waiting';
