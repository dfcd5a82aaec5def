-- One message to the owner of a rule for each event and channel that could not be delivered to
-- everybody; an owner is an address or the name of a channel. Whether the owner was told follows from the message's id, so it happens once; what
-- goes to owners about this is an event of its own kind, which is never told about.
with undelivered as (
    select
        delivery.event_id,
        delivery.channel,
        rule.id as rule_id,
        rule.definition ->> 'owner' as owner,
        rule.definition ->> 'name' as rule_name,
        min(delivery.payload ->> 'subject') as subject,
        string_agg(
            delivery.recipient || ': ' || coalesce(delivery.last_error, 'unknown'),
            e'\n' order by delivery.recipient
        ) as recipients,
        count(*) as messages,
        'undelivered-' || event.uid || '-' || delivery.channel as message_id
    from ops.alert_deliveries as delivery
    inner join ops.alert_events as event on delivery.event_id = event.id
    inner join ops.alert_rules as rule on event.rule_id = rule.id
    where
        delivery.status = 'failed'
        and delivery.created_at > now() - interval '7 days'
        and event.kind <> 'delivery_failed'
        and rule.definition ->> 'owner' <> delivery.recipient
    group by delivery.event_id, delivery.channel, rule.id, event.uid
),

untold as (
    select undelivered.*
    from undelivered
    where not exists (
        select 1
        from ops.alert_deliveries as notice
        where notice.message_id = undelivered.message_id
    )
),

event as (
    insert into ops.alert_events (rule_id, kind, audience, keys, details)
    select
        rule_id,
        'delivery_failed',
        'owner',
        messages,
        jsonb_build_object('channel', channel, 'message_id', message_id, 'event_id', event_id)
    from untold
    returning id, details ->> 'message_id' as message_id
)

insert into ops.alert_deliveries (event_id, channel, recipient, message_id, payload)
select
    event.id,
    case when untold.owner like '%@%' then 'email' else untold.owner end,
    untold.owner,
    untold.message_id,
    jsonb_build_object(
        'subject', 'Not delivered: ' || untold.subject,
        'text', 'A message of your rule "' || untold.rule_name || '" did not reach everybody. Nobody tries again.'
        || e'\n\nMessage: ' || untold.subject
        || e'\nChannel: ' || untold.channel
        || e'\n\n' || left(untold.recipients, 4000)
    )
from untold
inner join event on untold.message_id = event.message_id
on conflict (message_id) do nothing
returning id
