-- Messages with something in common, by recipient, once the first of them has waited for the others. What
-- has to wait for an earlier message of its topic, or for one that it follows, waits as in claim.sql.
select
    delivery.recipient,
    delivery.domain,
    message.digest_key,
    array_agg(cast(delivery.id as text) order by delivery.position) as ids
from ops.deliveries as delivery
inner join ops.messages as message on delivery.message_id = message.id
where
    delivery.channel = :channel
    and delivery.status = 'pending'
    and delivery.next_attempt_at <= now()
    and delivery.digest_of is null
    and not delivery.with_files
    and message.digest_key <> ''
    and (cast(:domain as text) is null or delivery.domain = :domain)
    and (
        delivery.topic = ''
        or not exists (
            select 1
            from ops.deliveries as earlier
            where
                earlier.channel = delivery.channel
                and earlier.recipient = delivery.recipient
                and earlier.topic = delivery.topic
                and earlier.topic <> ''
                and earlier.position < delivery.position
                and earlier.status in ('pending', 'sending')
        )
    )
    and (
        message.follows is null
        or exists (
            select 1
            from ops.deliveries as earlier
            where
                earlier.message_id = message.follows
                and earlier.channel = delivery.channel
                and earlier.recipient = delivery.recipient
                and earlier.status in ('sent', 'digested')
        )
        or exists (
            select 1
            from ops.messages as first
            inner join ops.deliveries as earlier
                on
                    delivery.channel = earlier.channel
                    and delivery.topic = earlier.topic
                    and delivery.position > earlier.position
                    and first.position < earlier.position
            inner join ops.messages as between_them on earlier.message_id = between_them.id
            where
                first.id = message.follows
                and earlier.recipient = delivery.recipient
                and earlier.topic <> ''
                and earlier.status in ('sent', 'digested')
                and between_them.follows is null
        )
    )
group by delivery.recipient, delivery.domain, message.digest_key
having bool_or(delivery.group_until is null or delivery.group_until <= now())
