-- Recipients with several waiting messages that have something in common.
select
    delivery.recipient,
    delivery.domain,
    message.digest_key
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
group by delivery.recipient, delivery.domain, message.digest_key
having count(*) > 1
