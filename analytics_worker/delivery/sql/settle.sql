-- Record the result of one attempt, if this sender still has the lease. The commit does not wait for the
-- disk: a killed sender loses no commit, and if the database crashes at this moment, a message is sent
-- twice, never lost. A message that was sent is also recorded if the lease was lost and no other sender
-- has claimed it. If another one has, its result cannot set the message back to unsent.
with settled as (
    update ops.deliveries
    set
        status = case when sent_at is not null then 'sent' else :status end,
        attempts = attempts + :attempts,
        next_attempt_at = now() + make_interval(secs => :delay_seconds),
        last_error = :error,
        sent_at = case when :status = 'sent' then now() else sent_at end,
        failed_at = case when :status = 'sent' then failed_at else now() end,
        receipt = case when :status = 'sent' then cast(:receipt as jsonb) else receipt end,
        lease_owner = null,
        lease_until = null
    where
        id = :id
        and (
            (status = 'sending' and lease_owner = :owner)
            or (status = 'pending' and :status = 'sent')
        )
        and set_config('synchronous_commit', 'off', true) is not null
    returning id, status, last_error
),

lost as (
    update ops.deliveries
    set sent_at = now()
    where id = :id and :status = 'sent' and status = 'sending' and lease_owner <> :owner
),

members as (
    update ops.deliveries as member
    set
        status = case when settled.status = 'sent' then 'digested' else 'failed' end,
        last_error = settled.last_error,
        sent_at = case when settled.status = 'sent' then now() end
    from settled
    where
        member.digest_of = settled.id
        and member.status = 'pending'
        and settled.status in ('sent', 'failed')
    returning member.id
)

select
    exists (select 1 from settled) as recorded,
    (select count(*) from members) as members,
    exists (
        select 1
        from ops.delivery_channels
        where channel = :channel and paused_until > now()
    ) as paused
