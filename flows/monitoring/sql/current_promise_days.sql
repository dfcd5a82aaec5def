-- The days of each promise since the last one that arrived.
with recent as (
    select
        *,
        max(day) filter (where arrived_at is not null) over (partition by name) as last_day
    from ops.promise_days
    where due_at > cast(:now as timestamptz) - interval '40 days'
)

select
    name, day, due_at, opens_at, target, arrived_at, is_estimated, usual_offset, usual_spread, usual_after_dbt
from recent
where day >= coalesce(last_day, '-infinity')
order by name, day
