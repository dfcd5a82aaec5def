-- The promises with their last day, and the attainment of this month and the one before.
select
    p.name as promise,
    p.definition,
    p.timezone,
    p.owner,
    p.since,
    p.state,
    p.day,
    p.due_at,
    d.arrived_at,
    p.expected_at,
    p.message,
    coalesce(
        (
            select json_agg(json_build_object(
                'month', to_char(a.month, 'YYYY-MM'), 'kept', a.kept, 'promised', a.promised, 'attainment', a.attainment
            ) order by a.month desc)
            from ops.promise_attainment as a
            where a.promise = p.name and a.month > now() - interval '2 months'
        ),
        '[]'
    ) as months
from ops.promises as p
left join ops.promise_days as d on p.name = d.name and p.day = d.day
order by p.name
