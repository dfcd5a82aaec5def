-- Return the rules that are due at times of their own, or on working days only, with the error of the last
-- evaluation. `rule.error` lacks it with an `on_error` that is not an error of the rule.
with clock as (
    select coalesce(cast(:now as timestamptz), clock_timestamp()) as now
)

select
    rule.id,
    cast(
        (
            select coalesce(jsonb_object_agg(field.key, field.value), '{}')
            from jsonb_each(rule.definition) as field
            where field.key in ('at', 'cron', 'weekdays', 'calendar', 'timezone')
        ) as text
    ) as times,
    coalesce(
        rule.error,
        (
            select evaluation.error
            from ops.alert_evaluations as evaluation
            where evaluation.rule_id = rule.id
            order by evaluation.slot desc
            limit 1
        )
    ) as error,
    clock.now,
    date_bin(rule.every, clock.now, timestamptz 'epoch') as period
from ops.alert_rules as rule
cross join clock
where
    rule.retired_at is null
    and rule.enabled
    and rule.kind = any(cast(:kinds as text []))
    and rule.kind <> 'event'
    and coalesce(rule.definition ->> 'at', rule.definition ->> 'cron', rule.definition ->> 'calendar') is not null
