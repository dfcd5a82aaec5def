-- The rule of an event is shown by its name, with its identity in parentheses.
select
    case
        when status.kind = 'event' and rule.definition ->> 'name' <> status.name
            then (rule.definition ->> 'name') || ' (' || status.name || ')'
        else status.name
    end as name,
    status.key,
    status.status,
    status.severity,
    status.value,
    cast(rule.definition as text) as definition,
    status.since,
    status.told,
    status.untold,
    status.silenced,
    status.muted_by,
    status.owner,
    status.error,
    count(*) over () as total
from ops.alert_status as status
inner join ops.alert_rules as rule on status.kind = rule.kind and status.name = rule.name
order by
    array_position(array['firing', 'error', 'pending', 'no_data', 'unknown', 'ok'], status.status),
    status.severity nulls last,
    status.name,
    status.key
limit :max_rows
