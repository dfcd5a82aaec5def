-- The last readings before a point in time; none if the history has a gap of a day there.
select
    wanted.rule_id,
    found.reading,
    found.readings
from jsonb_to_recordset(cast(:wanted as jsonb)) as wanted (rule_id bigint, until timestamptz)
cross join lateral (
    select
        reading,
        readings
    from ops.alert_evaluations
    where
        rule_id = wanted.rule_id
        and slot <= wanted.until
        and slot > wanted.until - interval '1 day'
        and status <> 'error'
        and (reading is not null or readings is not null)
    order by slot desc
    limit 1
) as found
