-- Lock the deliveries of firing alerts that nothing has tried to send yet; a sender skips them meanwhile.
select
    delivery.id,
    delivery.channel,
    delivery.recipient,
    event.rule_id,
    event.group_key,
    event.created_at
from ops.deliveries as delivery
inner join ops.messages as message on delivery.message_id = message.id
inner join ops.alert_events as event on message.reference = cast(event.id as text)
where
    delivery.domain = 'alerts'
    and delivery.status = 'pending'
    and delivery.group_until is not null
    and delivery.attempts = 0
    and delivery.digest_of is null
    and message.notice_of is null
    and event.kind = 'firing'
    and event.audience = 'readers'
    and (cast(:rule_ids as bigint []) is null or event.rule_id = any(cast(:rule_ids as bigint [])))
order by delivery.position
for update of delivery skip locked
