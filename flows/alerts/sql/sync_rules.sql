-- Rules as their files say. A change counts from the next period on, because each period is evaluated
-- once; if the keys changed, the states begin anew.
with wanted as materialized (
    select *
    from jsonb_to_recordset(cast(:rules as jsonb)) as wanted (
        kind text, name text, definition jsonb, every interval, enabled boolean
    )
),

regrouped as (
    delete from ops.alert_states as state
    using ops.alert_rules as rule, wanted
    where
        state.rule_id = rule.id
        and rule.kind = wanted.kind
        and rule.name = wanted.name
        and rule.definition -> 'key_columns' is distinct from wanted.definition -> 'key_columns'
)

insert into ops.alert_rules as rule (kind, name, definition, every, enabled)
select kind, name, definition, every, enabled
from wanted
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
