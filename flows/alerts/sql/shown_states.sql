-- The rule of an event is shown by its name, with its identity in parentheses. `undelivered`: the deliveries
-- of the last notification of a rule that wait or failed, by the group of keys that share a message.
with shown as (
    select
        case
            when status.kind = 'event' and rule.definition ->> 'name' <> status.name
                then (rule.definition ->> 'name') || ' (' || status.name || ')'
            else status.name
        end as name,
        status.key,
        status.status,
        status.severity,
        status.value,
        cast(rule.definition as text) as definition,
        status.since,
        status.told,
        status.untold,
        status.silenced,
        status.muted_by,
        status.incomplete_since,
        status.owner,
        status.error,
        state.rule_id,
        state.told_at,
        count(*) over () as total,
        row_number() over (
            order by
                array_position(
                    array['firing', 'error', 'pending', 'no_data', 'unknown', 'ok'], status.status
                ),
                status.severity nulls last,
                status.name,
                status.key
        ) as place
    from ops.alert_status as status
    inner join ops.alert_rules as rule on status.kind = rule.kind and status.name = rule.name
    left join ops.alert_states as state on rule.id = state.rule_id and status.key = state.key
    order by place
    limit :max_rows
),

undelivered as (
    select
        event.rule_id,
        event.created_at,
        jsonb_agg(
            distinct jsonb_build_array(
                event.group_key,
                delivery.channel,
                case when delivery.status = 'failed' then 'failed' else 'waiting' end
            )
        ) as deliveries
    from (
        select distinct rule_id, told_at
        from shown
        where told is not null
    ) as notified
    inner join ops.alert_events as event
        on notified.rule_id = event.rule_id and notified.told_at = event.created_at
    inner join ops.messages as message
        on message.domain = 'alerts' and message.reference = cast(event.id as text)
    inner join ops.deliveries as delivery on message.id = delivery.message_id
    where
        event.audience = 'readers'
        and message.notice_of is null
        and delivery.status in ('pending', 'sending', 'failed')
    group by event.rule_id, event.created_at
)

select
    shown.*,
    case when shown.told is not null then undelivered.deliveries end as undelivered
from shown
left join undelivered
    on shown.rule_id = undelivered.rule_id and shown.told_at = undelivered.created_at
order by shown.place
