-- Find rules by their name or former name, with their keys that fire.
select
    rule.id,
    rule.name,
    rule.definition ->> 'was' as was,
    coalesce(
        rule.definition ->> 'no_data_after',
        case when coalesce(rule.definition ->> 'at', rule.definition ->> 'cron') is not null then '0s' end
    ) as no_data_after,
    rule.error_since,
    coalesce(rule.definition -> 'key_columns', '[]') as key_columns,
    coalesce(
        array_agg(state.key) filter (where state.status = 'firing'),
        '{}'
    ) as keys
from ops.alert_rules as rule
left join ops.alert_states as state on rule.id = state.rule_id
where
    rule.retired_at is null
    and rule.kind <> 'event'
    and (rule.name = any(cast(:names as text [])) or rule.definition ->> 'was' = any(cast(:names as text [])))
group by rule.id
order by rule.id
