-- Failed deliveries without a notice, one row per message and channel. Failed notices cause no notices:
-- owner_notices addresses them to the next candidate instead.
with failed as (
    select delivery.id, delivery.message_id, delivery.channel
    from ops.deliveries as delivery
    inner join ops.messages as message on delivery.message_id = message.id
    where
        delivery.status = 'failed'
        and delivery.notice_id is null
        and message.notice_of is null
        and message.kind <> 'digest'
        and (cast(:domain as text) is null or delivery.domain = :domain)
    order by delivery.position
    limit 1000
    for update of delivery skip locked
)

select
    failed.message_id,
    failed.channel,
    message.domain,
    message.reference,
    message.resent,
    message.content ->> 'subject' as subject,
    array_agg(cast(failed.id as text)) as deliveries
from failed
inner join ops.messages as message on failed.message_id = message.id
group by failed.message_id, failed.channel, message.id
order by message.position, failed.channel
