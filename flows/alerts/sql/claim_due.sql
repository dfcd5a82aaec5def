-- Lock the due rules. Other runs skip them; the locks of a killed run are released. Healthy rules come
-- first, so that slow or failing rules do not delay the others.
with clock as (
    select coalesce(cast(:now as timestamptz), clock_timestamp()) as now
)

select
    rule.id,
    rule.kind,
    rule.name,
    cast(rule.definition as text) as definition,
    coalesce(rule.silenced_until > clock.now, false) as silenced,
    rule.error,
    rule.error_since,
    rule.error_told,
    rule.error_told_at,
    rule.succeeded_at,
    rule.no_data_since,
    rule.no_data_told_at,
    clock.now,
    date_bin(rule.every, clock.now, timestamptz 'epoch') as slot
from ops.alert_rules as rule
cross join clock
where
    rule.retired_at is null
    and rule.enabled
    and rule.watched
    and rule.kind = any(cast(:kinds as text []))
    and rule.id <> all(cast(:excluded as bigint []))
    and (rule.evaluated_slot is null or rule.evaluated_slot < date_bin(rule.every, clock.now, timestamptz 'epoch'))
order by rule.error_since is not null, rule.milliseconds > 1000, rule.evaluated_at nulls first, rule.id
limit :batch_size
for update of rule skip locked
