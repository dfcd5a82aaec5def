alter table ops.alert_states
add column no_data_told boolean not null default false,
add column calm_ended_at timestamptz,
add column ok_since timestamptz,
add column missing_since timestamptz;
comment on column ops.alert_states.told is
'Highest severity that recipients have been notified of since it last fell; null if none';
comment on column ops.alert_states.no_data_told is
'Whether recipients of the firing alert have been notified that its data is missing';
comment on column ops.alert_states.changes is
'When it started or stopped to fire, or its severity rose, within the last hour';
comment on column ops.alert_states.calm_ended_at is
'When a rise of the severity last ended flapping; it does at most once per hour';
comment on column ops.alert_states.ok_since is
'Since when the condition of a firing alert is no longer met; keep_firing_for counts from here';
comment on column ops.alert_states.missing_since is 'Since when the SQL returns no row for the key';
update ops.alert_states
set no_data_told = true
where status = 'no_data' and told is not null;

alter table ops.alert_rules
add column error_told_at timestamptz,
add column succeeded_at timestamptz,
add column no_data_since timestamptz,
add column no_data_told_at timestamptz;
comment on column ops.alert_rules.error_told_at is
'When the last notification of the owner about the error was due; repeats count from here';
comment on column ops.alert_rules.succeeded_at is 'When the SQL last ran without an error';
comment on column ops.alert_rules.no_data_since is
'Since when the rule has no data, although it had some and its definition does not say that this is normal';
comment on column ops.alert_rules.no_data_told_at is
'When the last notification of the owner about missing data was due; repeats count from here';
update ops.alert_rules
set succeeded_at = evaluated_at
where error_since is null;

alter table ops.alert_events
drop constraint alert_events_kind_check,
add constraint alert_events_kind_check check (kind in (
    'firing', 'firing_again', 'still_firing', 'resolved', 'ended', 'no_data', 'flapping',
    'error', 'error_resolved', 'missing_data', 'missing_data_resolved', 'delivery_failed'
));
comment on column ops.alert_events.kind is
'firing, firing_again, still_firing, resolved, ended, no_data, flapping, error, error_resolved, missing_data, missing_data_resolved or delivery_failed';

create table ops.alert_sql (
    rule_id bigint not null references ops.alert_rules on delete cascade,
    hash text not null,
    sql text not null,
    first_run_at timestamptz not null,
    last_run_at timestamptz not null,
    primary key (rule_id, hash)
);
comment on table ops.alert_sql is 'The SQL that was run for the evaluations of each rule, one row for each version of it';
comment on column ops.alert_sql.rule_id is 'Id of the rule in ops.alert_rules';
comment on column ops.alert_sql.hash is 'SHA-256 of the SQL, in hexadecimal digits';
comment on column ops.alert_sql.sql is 'The SQL, truncated to 20,000 characters';
comment on column ops.alert_sql.first_run_at is 'When it was first run';
comment on column ops.alert_sql.last_run_at is 'When it was last run, to the day';
alter table ops.alert_evaluations add column sql_hash text;
comment on column ops.alert_evaluations.sql_hash is
'SHA-256 of the SQL that was run, as in ops.alert_sql; null if none was';

alter table ops.messages add column digest_key text not null default '';
comment on column ops.messages.digest_key is
'What messages have in common that are sent as one digest to each recipient; empty: each on its own';

create table ops.alert_silences (
    id bigint generated always as identity primary key,
    rule text,
    owner text,
    severity text check (severity in ('warning', 'critical')),
    keys text [] not null default '{}',
    until timestamptz not null,
    reason text,
    created_at timestamptz not null default now(),
    check (rule is not null or owner is not null or severity is not null or keys <> '{}')
);
comment on table ops.alert_silences is
'Silences of alerts that match all of rule, owner, severity and keys; ops.alert_rules has those of whole rules';
comment on column ops.alert_silences.id is 'Primary key';
comment on column ops.alert_silences.rule is 'Name of the rule; null for all rules';
comment on column ops.alert_silences.owner is 'Owner of the rule; null for all owners';
comment on column ops.alert_silences.severity is 'warning or critical; null for both';
comment on column ops.alert_silences.keys is 'Values that the key has, each in any of its columns; empty for all keys';
comment on column ops.alert_silences.until is 'End of the silence';
comment on column ops.alert_silences.reason is 'Reason of the silence';
comment on column ops.alert_silences.created_at is 'When it was created';

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
        (rule.error_since is not null and not rule.error_told and not coalesce(silence.rule_until > now(), false))
        or coalesce(
            state.status = 'firing'
            and array_position(array['warning', 'critical'], state.severity)
            > coalesce(array_position(array['warning', 'critical'], state.told), 0)
            and not coalesce(silence.until > now(), false),
            false
        )
    ) as untold
from ops.alert_rules as rule
left join ops.alert_states as state on rule.id = state.rule_id
cross join lateral (
    select
        greatest(rule.silenced_until, max(matching.until)) as until,
        greatest(
            rule.silenced_until,
            max(matching.until) filter (where matching.severity is null and matching.keys = '{}')
        ) as rule_until
    from ops.alert_silences as matching
    where
        matching.until > now()
        and (matching.rule is null or matching.rule in (rule.name, rule.definition ->> 'name'))
        and (matching.owner is null or matching.owner = rule.definition ->> 'owner')
        and (matching.severity is null or matching.severity = coalesce(state.severity, state.told))
        and (matching.keys = '{}' or cast(nullif(state.key, '') as jsonb) ?& matching.keys)
) as silence
where rule.retired_at is null;
