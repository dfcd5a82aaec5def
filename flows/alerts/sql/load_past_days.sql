-- Load the last sample at or before each time, by rule. Those of another SQL, as before a change of the rule, are none
-- of the rule.
select
    cast(rule.id as bigint) as rule_id,
    array_agg(cast(past.number as integer) order by past.number) as numbers,
    array_agg(recorded.sample order by past.number) as samples,
    case
        when count(recorded.samples) > 0 then jsonb_agg(recorded.samples order by past.number)
    end as keyed_samples
from jsonb_to_recordset(cast(:groups as jsonb)) as same_times (rules jsonb, times jsonb, tolerance interval)
cross join lateral jsonb_to_recordset(same_times.rules) as rule (id bigint, sql_hash text)
cross join lateral jsonb_array_elements_text(same_times.times) with ordinality as past (slot, number)
cross join lateral (
    select
        evaluation.reading as sample,
        evaluation.readings as samples
    from ops.alert_evaluations as evaluation
    where
        evaluation.rule_id = rule.id
        and evaluation.slot <= cast(past.slot as timestamptz)
        and evaluation.slot > cast(past.slot as timestamptz) - same_times.tolerance
        and evaluation.status <> 'error'
        and (evaluation.reading is not null or evaluation.readings is not null)
        and coalesce(evaluation.sql_hash = rule.sql_hash, true)
    order by evaluation.slot desc
    limit 1
) as recorded
group by rule.id
