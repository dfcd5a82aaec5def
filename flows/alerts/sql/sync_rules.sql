-- Store the rules of the definition files. A change takes effect in the next period, because each period
-- is evaluated once.
with new_rule as (
    select *
    from jsonb_to_recordset(cast(:rules as jsonb)) as new_rule (
        kind text, name text, definition jsonb, every interval, enabled boolean
    )
)

insert into ops.alert_rules as rule (kind, name, definition, every, enabled)
select kind, name, definition, every, enabled
from new_rule
on conflict (kind, name) do update
    set
        definition = excluded.definition,
        every = excluded.every,
        enabled = excluded.enabled,
        retired_at = null,
        updated_at = now()
    where
        rule.definition is distinct from excluded.definition
        or rule.every is distinct from excluded.every
        or rule.retired_at is not null
