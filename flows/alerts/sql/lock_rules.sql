-- Wait until no run evaluates these rules, and keep others from it until the transaction ends.
select
    id,
    kind,
    name,
    cast(definition as text) as definition,
    error,
    error_since,
    error_told,
    error_told_at,
    succeeded_at,
    no_data_since,
    no_data_told_at,
    milliseconds,
    clock_timestamp() as now,
    clock_timestamp() as slot
from ops.alert_rules
where id = any(cast(:rule_ids as bigint []))
order by id
for update
