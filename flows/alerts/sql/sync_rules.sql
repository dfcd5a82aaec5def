-- Store the rules of the definition files. A change takes effect in the next period, because each period
-- is evaluated once.
with new_rule as (
    select *
    from jsonb_to_recordset(cast(:rules as jsonb)) as new_rule (
        kind text, name text, definition jsonb, every interval, enabled boolean
    )
)

insert into ops.alert_rules as rule (kind, name, definition, every, enabled, evaluated_slot)
select
    kind,
    name,
    definition,
    every,
    enabled,
    -- new times apply from now on
    case when coalesce(definition ->> 'at', definition ->> 'cron') is not null then now() end
from new_rule
on conflict (kind, name) do update
    set
        definition = excluded.definition,
        every = excluded.every,
        enabled = excluded.enabled,
        evaluated_slot = case
            when
                excluded.evaluated_slot is null
                or (
                    rule.retired_at is null
                    and rule.enabled
                    and array(
                        select rule.definition -> names.name
                        from unnest(array['cron', 'at', 'weekdays', 'calendar', 'timezone']) as names (name)
                    )
                    is not distinct from array(
                        select excluded.definition -> names.name
                        from unnest(array['cron', 'at', 'weekdays', 'calendar', 'timezone']) as names (name)
                    )
                )
                then rule.evaluated_slot
            else excluded.evaluated_slot
        end,
        retired_at = null,
        updated_at = now()
    where
        rule.definition is distinct from excluded.definition
        or rule.every is distinct from excluded.every
        or rule.retired_at is not null
