-- Load the last samples before a time; none if the history has a gap of a day there.
select
    baseline.rule_id,
    recorded.sample,
    recorded.samples
from jsonb_to_recordset(cast(:baselines as jsonb)) as baseline (rule_id bigint, until timestamptz)
cross join lateral (
    select
        reading as sample,
        readings as samples
    from ops.alert_evaluations
    where
        rule_id = baseline.rule_id
        and slot <= baseline.until
        and slot > baseline.until - interval '1 day'
        and status <> 'error'
        and (reading is not null or readings is not null)
    order by slot desc
    limit 1
) as recorded
