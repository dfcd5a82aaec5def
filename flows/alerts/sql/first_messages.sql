-- The first message that said what is over now, for each notice that says so.
select
    wanted.uid,
    first.id
from
    jsonb_to_recordset(cast(:wanted as jsonb)) as wanted (
        uid uuid, rule_id bigint, group_key text, kinds jsonb, since timestamptz
    )
cross join lateral (
    select message.id
    from ops.alert_events as event
    inner join ops.messages as message
        on message.domain = 'alerts' and message.reference = cast(event.id as text)
    where
        event.rule_id = wanted.rule_id
        and event.group_key = wanted.group_key
        and wanted.kinds ? event.kind
        and event.created_at >= wanted.since
        and message.notice_of is null
    order by event.id, message.position
    limit 1
) as first
