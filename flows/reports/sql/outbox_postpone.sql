-- Leave the mail server alone: what this sender had claimed, and what is due.
update ops.report_deliveries
set
    status = 'pending',
    next_attempt_at = now() + make_interval(secs => :delay_seconds),
    last_error = coalesce(:error, last_error),
    lease_owner = null,
    lease_until = null
where
    (status = 'sending' and lease_owner = :owner)
    or (status = 'pending' and next_attempt_at <= now())
returning id
