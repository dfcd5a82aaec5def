-- Messages with something in common, by recipient, once the first of them has waited for the others.
select
    delivery.recipient,
    delivery.domain,
    message.digest_key,
    array_agg(cast(delivery.id as text) order by delivery.position) as ids
from ops.sendable_deliveries as delivery
inner join ops.messages as message on delivery.message_id = message.id
where
    delivery.channel = :channel
    and not delivery.with_files
    and message.digest_key <> ''
    and (cast(:domain as text) is null or delivery.domain = :domain)
group by delivery.recipient, delivery.domain, message.digest_key
having bool_or(delivery.group_until is null or delivery.group_until <= now())
