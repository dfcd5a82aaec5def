-- Leave a channel alone: what this thread had claimed, and what is due. The reason is kept, except on
-- messages that are too old to wait: those are tried once more before they are given up.
update ops.deliveries
set
    status = 'pending',
    next_attempt_at = now() + make_interval(secs => :delay_seconds),
    last_error = case
        when cast(:keep_old as boolean) and queued_at < now() - make_interval(secs => :max_age_seconds)
            then last_error
        else :error
    end,
    lease_owner = null,
    lease_until = null
where
    channel = :channel
    and (
        (status = 'sending' and lease_owner = :owner and id = any(cast(:claimed as uuid[])))
        or (
            status = 'pending'
            and next_attempt_at <= now()
            and digest_of is null
            and (cast(:domain as text) is null or domain = :domain)
        )
    )
returning id
