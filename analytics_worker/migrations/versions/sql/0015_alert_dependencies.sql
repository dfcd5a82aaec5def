alter table ops.alert_rules add column muted_by text;
comment on column ops.alert_rules.muted_by is
'Name of the firing rule, of its depends_on, that muted all notifications at the last evaluation; null if none did';

alter table ops.alert_states
add column muted_by text,
add column told_to jsonb;
comment on column ops.alert_states.muted_by is
'Name of the firing rule, of depends_on, that muted its notifications at the last evaluation; null if none did';
comment on column ops.alert_states.told_to is
'Channels and recipients that have been notified that it fires; null if none were';

alter table ops.deliveries add column group_until timestamptz;
comment on column ops.deliveries.group_until is
'Until when it waits for messages with the same digest_key; null once it has waited, and for messages without one';

insert into ops.alert_silences (rule, until, reason)
select
    name,
    max(silenced_until),
    (array_agg(silence_reason order by silenced_until desc))[1]
from ops.alert_rules
where silenced_until > now() and retired_at is null
group by name;
comment on table ops.alert_silences is
'Silences of alerts that match all of rule, owner, severity and keys';

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
    coalesce(silence.until > now(), false) as silenced,
    silence.until as silenced_until,
    rule.error,
    rule.definition ->> 'owner' as owner,
    rule.evaluated_at,
    rule.enabled
    and not coalesce((rule.definition ->> 'muted')::boolean, false)
    and (
        (
            rule.error_since is not null
            and not rule.error_told
            and rule.muted_by is null
            and not coalesce(silence.rule_until > now(), false)
        )
        or coalesce(
            state.status = 'firing'
            and array_position(array['warning', 'critical'], state.severity)
            > coalesce(array_position(array['warning', 'critical'], state.told), 0)
            and state.muted_by is null
            and not coalesce(silence.until > now(), false),
            false
        )
    ) as untold,
    case when rule.enabled then coalesce(state.muted_by, rule.muted_by) end as muted_by
from ops.alert_rules as rule
left join ops.alert_states as state on rule.id = state.rule_id
cross join lateral (
    select
        max(matching.until) as until,
        max(matching.until) filter (where matching.severity is null and matching.keys = '{}') as rule_until
    from ops.alert_silences as matching
    where
        matching.until > now()
        and (matching.rule is null or matching.rule in (rule.name, rule.definition ->> 'name'))
        and (matching.owner is null or matching.owner = rule.definition ->> 'owner')
        and (matching.severity is null or matching.severity = coalesce(state.severity, state.told))
        and (matching.keys = '{}' or cast(nullif(state.key, '') as jsonb) ?& matching.keys)
) as silence
where rule.retired_at is null;
comment on column ops.alert_status.muted_by is
'Name of the firing rule, of its depends_on, that muted it at the last evaluation; null if none did';

drop view ops.alert_thresholds;
alter table ops.alert_rules
drop column silenced_until,
drop column silence_reason;
create view ops.alert_thresholds as
select * from ops.alert_rules where kind = 'threshold';
comment on view ops.alert_thresholds is 'The rules of definitions/thresholds.yml';
comment on column ops.alert_thresholds.id is 'Primary key';
comment on column ops.alert_thresholds.kind is 'Always threshold';
comment on column ops.alert_thresholds.name is 'Name of the rule';
comment on column ops.alert_thresholds.definition is 'The rule as validated; null fields are left out';
comment on column ops.alert_thresholds.every is 'Interval between evaluations';
comment on column ops.alert_thresholds.enabled is 'Whether the rule is evaluated';
comment on column ops.alert_thresholds.watched is 'Whether the schedule evaluates it';
comment on column ops.alert_thresholds.evaluated_slot is 'Start of the period that was last evaluated';
comment on column ops.alert_thresholds.evaluated_at is 'When the rule was last evaluated';
comment on column ops.alert_thresholds.milliseconds is 'Duration of the last evaluation in milliseconds';
comment on column ops.alert_thresholds.error is 'Why the last evaluation failed; null if it succeeded';
comment on column ops.alert_thresholds.error_since is 'Start of the failing evaluations';
comment on column ops.alert_thresholds.error_told is 'Whether the owner was notified of the error';
comment on column ops.alert_thresholds.retired_at is 'When the rule was removed from its file';
comment on column ops.alert_thresholds.created_at is 'When the rule was stored';
comment on column ops.alert_thresholds.updated_at is 'When the definition last changed';
comment on column ops.alert_thresholds.error_told_at is 'When the last notification of the owner about the error was due';
comment on column ops.alert_thresholds.succeeded_at is 'When the SQL last ran without an error';
comment on column ops.alert_thresholds.no_data_since is 'Since when the rule has no data';
comment on column ops.alert_thresholds.no_data_told_at is 'When the last notification of the owner about missing data was due';
comment on column ops.alert_thresholds.muted_by is 'Name of the firing rule that muted all notifications at the last evaluation; null if none did';
