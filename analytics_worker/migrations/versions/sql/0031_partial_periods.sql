alter table ops.alert_rules add column incomplete_since timestamptz;
comment on column ops.alert_rules.incomplete_since is
'Until when the data of its period is there, if it was not evaluated for that reason; null if it was';

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
    case when rule.enabled then coalesce(state.muted_by, rule.muted_by) end as muted_by,
    case when rule.enabled then rule.incomplete_since end as incomplete_since
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
comment on column ops.alert_status.incomplete_since is
'Until when the data of the period of the rule is there, if it is not evaluated for that reason; null otherwise';

create or replace view ops.catalog as
select
    k.schema_name,
    k.relation_name,
    k.kind,
    k.status,
    k.description,
    k.columns,
    k.row_estimate,
    k.bytes,
    k.last_analyzed_at,
    k.last_refreshed_at,
    c.known_through as data_as_of,
    now() - c.known_through as age,
    k.first_seen_at,
    k.missing_since,
    k.updated_at,
    k.oid,
    k.data_as_of as changed_at,
    c.known_through is not null and c.is_partial as is_partial
from ops.catalog_relations as k
left join (
    select
        schema_name,
        relation_name,
        is_partial,
        case when basis in ('declared column', 'lineage') then complete_through end as known_through
    from ops.completeness
) as c on k.schema_name = c.schema_name and k.relation_name = c.relation_name;
comment on view ops.catalog is 'The catalog, and through which instant the data of each relation is complete';
comment on column ops.catalog.data_as_of is
'Through which instant the data is complete: the minimum over what feeds it; null if that is unknown';
comment on column ops.catalog.age is 'Time since data_as_of';
comment on column ops.catalog.changed_at is
'When the data last changed, or was known to be up to date; null for relations without storage';
comment on column ops.catalog.is_partial is 'Whether data_as_of is not known of all that feeds the relation';
comment on column ops.catalog_relations.data_as_of is
'When the data last changed, or was known to be up to date; null for relations without storage. The view ops.catalog has it as changed_at';
