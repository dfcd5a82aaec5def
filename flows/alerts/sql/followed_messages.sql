-- For each notification that ends an alert, find the first message that started it.
select
    lookup.uid,
    first.id
from
    jsonb_to_recordset(cast(:lookups as jsonb)) as lookup (
        uid uuid, rule_id bigint, group_key text, kinds jsonb, since timestamptz
    )
cross join lateral (
    select message.id
    from ops.alert_events as event
    inner join ops.messages as message
        on message.domain = 'alerts' and message.reference = cast(event.id as text)
    where
        event.rule_id = lookup.rule_id
        and event.group_key = lookup.group_key
        and lookup.kinds ? event.kind
        and event.created_at >= lookup.since
        and message.notice_of is null
    order by event.id, message.position
    limit 1
) as first
