-- What became of one mail.
update ops.report_deliveries
set
    status = :status,
    attempts = attempts + :tries,
    next_attempt_at = now() + make_interval(secs => :delay_seconds),
    last_error = :error,
    sent_at = case when :status = 'sent' then now() end,
    lease_owner = null,
    lease_until = null
where id = :id and (lease_owner = :owner or (:status = 'sent' and status <> 'sent'))
