-- Postpone the claims of this thread and all due messages of a channel, with the reason. Messages that
-- are too old to wait keep theirs: they are tried once more before they fail.
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
