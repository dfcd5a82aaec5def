-- A double has 15 digits that are exact; values keep those that the server prints. The view is dropped, as it
-- has one of the columns; those who may read it may read the new one.
create temporary table alert_status_grants on commit drop as
select
    'grant ' || acl.privilege_type || ' on ops.alert_status to '
    || case when acl.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(acl.grantee)) end
    || case when acl.is_grantable then ' with grant option' else '' end as statement
from pg_class as relation
cross join lateral aclexplode(relation.relacl) as acl
where relation.oid = 'ops.alert_status'::regclass and acl.grantee <> relation.relowner;

drop view ops.alert_status;

alter table ops.alert_states
alter column value type numeric using value::text::numeric,
alter column reading type numeric using reading::text::numeric,
alter column worst type numeric using worst::text::numeric;

alter table ops.alert_evaluations
alter column value type numeric using value::text::numeric,
alter column reading type numeric using reading::text::numeric;

create view ops.alert_status as
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
comment on view ops.alert_status is 'One row per rule and key: the state of all alerts';
comment on column ops.alert_status.kind is 'alert, threshold or event';
comment on column ops.alert_status.name is 'Name of the rule';
comment on column ops.alert_status.key is 'Values of the key columns as a JSON array; empty for a rule without keys';
comment on column ops.alert_status.status is 'unknown, ok, pending, firing, no_data or error';
comment on column ops.alert_status.severity is 'warning or critical, while it fires';
comment on column ops.alert_status.value is 'Value that was last compared';
comment on column ops.alert_status.since is 'Start of the status';
comment on column ops.alert_status.told is 'Notified severity: the highest severity that recipients were notified of';
comment on column ops.alert_status.flapping is 'Whether it flaps';
comment on column ops.alert_status.silenced is 'Whether a silence is active';
comment on column ops.alert_status.silenced_until is 'End of the silence';
comment on column ops.alert_status.error is 'Why the rule could not be evaluated';
comment on column ops.alert_status.owner is 'Owner of the rule';
comment on column ops.alert_status.evaluated_at is 'When the rule was last evaluated';
comment on column ops.alert_status.untold is 'Whether the state was not notified, because the rule has no recipients';
comment on column ops.alert_status.muted_by is 'Name of the firing rule, of its depends_on, that muted it at the last evaluation; null if none did';

do $$
declare
    restored record;
begin
    for restored in select statement from alert_status_grants loop
        execute restored.statement;
    end loop;
end
$$;
