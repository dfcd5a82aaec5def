-- When each awaited promise arrived on earlier days, and the end of the last dbt run before.
select
    d.name,
    d.day,
    d.opens_at,
    d.arrived_at,
    r.ended_at as built_at
from ops.promise_days as d
left join lateral (
    select b.started_at + make_interval(secs => b.seconds) as ended_at
    from ops.dbt_runs as b
    where
        b.command in ('dbt run', 'dbt build')
        and b.started_at > d.arrived_at - interval '1 day'
        and b.started_at + make_interval(secs => b.seconds) <= d.arrived_at
    order by b.started_at desc
    limit 1
) as r on true
where
    d.name = any(cast(:names as text []))
    and d.arrived_at is not null
    and d.due_at > cast(:now as timestamptz) - interval '60 days'
order by d.name, d.day
