-- Lock the due rules. Other runs skip them; the locks of a killed run are released. Rules that
-- others depend on come first, then healthy ones, so that slow or failing rules do not delay the others.
-- Rules with times of their own, or a calendar, are due if one of the slots is theirs.
with clock as (
    select coalesce(cast(:now as timestamptz), clock_timestamp()) as now
),

needed as materialized (
    select distinct jsonb_array_elements_text(definition -> 'depends_on') as name
    from ops.alert_rules
    where retired_at is null and definition ? 'depends_on'
)

select
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
    clock.now,
    coalesce(own.slot, date_bin(rule.every, clock.now, timestamptz 'epoch')) as slot
from ops.alert_rules as rule
cross join clock
left join jsonb_to_recordset(cast(:slots as jsonb)) as own (rule_id bigint, slot timestamptz)
    on rule.id = own.rule_id
where
    rule.retired_at is null
    and rule.enabled
    and rule.watched
    and rule.kind = any(cast(:kinds as text []))
    and rule.id <> all(cast(:excluded as bigint []))
    and case
        when
            rule.kind <> 'event'
            and coalesce(rule.definition ->> 'at', rule.definition ->> 'cron', rule.definition ->> 'calendar')
            is not null
            then coalesce(rule.evaluated_slot, '-infinity') < own.slot
        else coalesce(rule.evaluated_slot, '-infinity') < date_bin(rule.every, clock.now, timestamptz 'epoch')
    end
order by
    rule.name not in (select name from needed)
    and coalesce(rule.definition ->> 'was' not in (select name from needed), true),
    rule.error_since is not null,
    rule.milliseconds > 1000,
    rule.evaluated_at nulls first,
    rule.id
limit :batch_size
for update of rule skip locked
