-- The last result of each node in a day: the slowest ones, and those slower than usual.
with latest as (
    select distinct on (node.unique_id)
        node.unique_id as node,
        node.seconds,
        node.usual_seconds
    from ops.dbt_node_results as node
    inner join ops.dbt_runs as run on node.run_id = run.id
    where
        run.started_at > now() - interval '1 day'
        and run.command <> 'dbt docs generate'
        and node.seconds is not null
    order by node.unique_id, run.started_at desc
),

ranked as (
    select
        node,
        seconds,
        usual_seconds,
        seconds / nullif(usual_seconds, 0) as ratio,
        row_number() over (order by seconds desc, node) as place,
        row_number() over (
            order by seconds / nullif(usual_seconds, 0) desc nulls last, node
        ) as slowing_place
    from latest
)

select
    node,
    seconds,
    place <= 10 as is_slowest,
    case
        when
            slowing_place <= 10
            and seconds >= greatest(usual_seconds * 1.5, usual_seconds + 5)
            then ratio
    end as slowing_ratio
from ranked
where place <= 10 or slowing_place <= 10
