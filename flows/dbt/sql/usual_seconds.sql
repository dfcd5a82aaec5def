-- Runs that build no data or only compile say nothing about how long a node takes.
with successes as (
    select
        node.unique_id,
        node.seconds,
        row_number() over (partition by node.unique_id order by run.started_at desc) as age
    from ops.dbt_node_results as node
    inner join ops.dbt_runs as run on node.run_id = run.id
    where
        node.unique_id = any(cast(:unique_ids as text []))
        and node.status in ('success', 'pass', 'warn')
        and run.started_at < :before
        and run.command <> 'dbt docs generate'
        and not run.args && array['--empty', '--sample']
)

select
    unique_id,
    percentile_cont(0.5) within group (order by seconds) as usual_seconds
from successes
where age <= 20
group by unique_id
having count(*) >= 5
