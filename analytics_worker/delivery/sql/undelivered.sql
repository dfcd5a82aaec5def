select
    delivery.message_id,
    message.domain,
    message.reference,
    message.content ->> 'subject' as subject,
    delivery.channel,
    delivery.recipient,
    delivery.status,
    delivery.attempts,
    delivery.last_error,
    delivery.queued_at
from ops.deliveries as delivery
inner join ops.messages as message on delivery.message_id = message.id
where
    delivery.status in ('pending', 'failed')
    and (cast(:domain as text) is null or delivery.domain = :domain)
    and (cast(:ids as uuid[]) is null or delivery.message_id = any(cast(:ids as uuid[])))
order by delivery.position, delivery.channel, delivery.recipient
limit 1000
