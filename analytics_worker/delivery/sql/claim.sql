-- Claim the oldest due messages of a channel that wait for no other message.
with due as (
    select delivery.id
    from ops.sendable_deliveries as delivery
    where
        delivery.channel = :channel
        and (delivery.group_until is null or not :grouped)
        and (cast(:domain as text) is null or delivery.domain = :domain)
        and (
            not cast(:sender as text) = any(delivery.refused_by)
            or delivery.refused_at < now() - make_interval(secs => :refusal_seconds)
        )
        and not exists (
            select 1
            from ops.delivery_channels as pace
            where pace.channel = delivery.channel and pace.paused_until > now()
        )
    order by delivery.next_attempt_at, delivery.position, delivery.role, delivery.recipient
    limit :batch
    for update of delivery skip locked
),

claimed as (
    update ops.deliveries as delivery
    set
        status = 'sending',
        lease_owner = :owner,
        lease_until = now() + make_interval(secs => :lease_seconds)
    from due
    where delivery.id = due.id
    returning delivery.*
)

select
    claimed.id,
    claimed.message_id,
    claimed.recipient,
    claimed.idempotency_key,
    claimed.attempts,
    cast(extract(epoch from now() - claimed.queued_at) as double precision) as age_seconds,
    coalesce(
        (
            select earlier.receipt
            from ops.messages as message
            inner join ops.deliveries as earlier
                on
                    claimed.channel = earlier.channel
                    and claimed.topic = earlier.topic
                    and claimed.recipient = earlier.recipient
                    and claimed.position > earlier.position
            inner join ops.messages as before
                on
                    earlier.message_id = before.id
                    and (
                        before.id = message.follows
                        or before.content ->> 'incident_key' = message.content ->> 'incident_key'
                    )
            where
                message.id = claimed.message_id
                and earlier.topic <> ''
                and earlier.receipt <> '{}'
            order by before.id is not distinct from message.follows desc, before.position
            limit 1
        ),
        '{}'
    ) as thread
from claimed
order by claimed.next_attempt_at, claimed.position, claimed.role, claimed.recipient
