update ops.deliveries
set lease_until = now() + make_interval(secs => :lease_seconds)
where status = 'sending' and lease_owner = :owner
returning id
