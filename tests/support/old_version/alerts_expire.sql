-- Give up on what a channel that is down has kept for too long; what was never tried is tried first.
update ops.alert_deliveries
set status = 'failed'
where
    status = 'pending'
    and last_error is not null
    and created_at < now() - make_interval(secs => :max_seconds)
returning id
