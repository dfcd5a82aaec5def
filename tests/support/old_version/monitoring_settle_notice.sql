update ops.deployment_notices
set
    status = :status,
    attempts = attempts + 1,
    next_attempt_at = now() + make_interval(secs => :pause_seconds),
    last_error = :error,
    sent_at = case when :status = 'sent' then now() end
where id = :id;
