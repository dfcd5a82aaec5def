-- Store the rule of an event under its identity, and lock it. Its slot is the time of the evaluation.
with clock as (
    select clock_timestamp() as now
)

insert into ops.alert_rules as rule (kind, name, definition, every)
values ('event', :rule_name, cast(:definition as jsonb), cast(:every as interval))
on conflict (kind, name) do update
    set definition = excluded.definition, every = excluded.every, retired_at = null, updated_at = now()
returning
    rule.id,
    rule.kind,
    rule.name,
    cast(rule.definition as text) as definition,
    rule.error,
    rule.error_since,
    rule.error_told,
    rule.error_told_at,
    rule.succeeded_at,
    rule.no_data_since,
    rule.no_data_told_at,
    rule.milliseconds,
    (select clock.now from clock) as now,
    (select clock.now from clock) as slot
