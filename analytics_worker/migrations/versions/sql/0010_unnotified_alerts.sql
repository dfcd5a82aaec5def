create or replace view ops.alert_status as
select
    rule.kind,
    rule.name,
    state.key,
    case when rule.error_since is not null then 'error' else coalesce(state.status, 'unknown') end as status,
    state.severity,
    state.value,
    case when rule.error_since is not null then rule.error_since else state.since end as since,
    state.told,
    state.flapping_since is not null as flapping,
    coalesce(rule.silenced_until > now(), false) as silenced,
    rule.silenced_until,
    rule.error,
    rule.definition ->> 'owner' as owner,
    rule.evaluated_at,
    rule.enabled
    and not coalesce(rule.silenced_until > now(), false)
    and not coalesce((rule.definition ->> 'muted')::boolean, false)
    and (
        (rule.error_since is not null and not rule.error_told)
        or coalesce(
            state.status = 'firing'
            and array_position(array['warning', 'critical'], state.severity)
            > coalesce(array_position(array['warning', 'critical'], state.told), 0),
            false
        )
    ) as untold
from ops.alert_rules as rule
left join ops.alert_states as state on rule.id = state.rule_id
where rule.retired_at is null;
comment on column ops.alert_status.untold is
'Whether nobody was notified of what is true, because the rule has no recipients';

-- Who got an earlier message of a topic gets what follows it.
create index deliveries_delivered on ops.deliveries (channel, topic, position)
where topic <> '' and status in ('sent', 'digested');
