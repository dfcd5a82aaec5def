-- For each notification that ends an alert, find the first message that started it, and the recipients of
-- all messages that notified of it.
select
    lookup.uid,
    (array_agg(message.id order by event.id, message.position))[1] as id,
    coalesce(
        jsonb_agg(distinct jsonb_build_array(delivery.channel, delivery.recipient))
        filter (where delivery.status in ('pending', 'sending', 'sent', 'digested')),
        '[]'
    ) as recipients
from
    jsonb_to_recordset(cast(:lookups as jsonb)) as lookup (
        uid uuid, rule_id bigint, group_key text, kinds jsonb, since timestamptz
    )
inner join ops.alert_events as event
    on
        event.rule_id = lookup.rule_id
        and event.group_key = lookup.group_key
        and lookup.kinds ? event.kind
        and event.created_at >= lookup.since
inner join ops.messages as message
    on message.domain = 'alerts' and message.reference = cast(event.id as text)
left join ops.deliveries as delivery on message.id = delivery.message_id
where message.notice_of is null
group by lookup.uid
