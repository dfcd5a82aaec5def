-- Runs that build no data, only compile or build another relation say nothing about how long a node takes.
-- Nodes without a relation, such as tests, are compared with those of runs of the same target.
with node as (
    select
        unique_id,
        relation
    from json_to_recordset(cast(:nodes as json)) as node (unique_id text, relation text)
),

run as (
    select
        *,
        args[
            coalesce(array_position(args, '--target'), array_position(args, '-t')) + 1
        ] as target
    from ops.dbt_runs
    where
        started_at < :before
        and command <> 'dbt docs generate'
        and not args && array['--empty', '--sample']
),

successes as (
    select
        earlier.unique_id,
        earlier.seconds,
        row_number() over (partition by earlier.unique_id order by run.started_at desc) as age
    from ops.dbt_node_results as earlier
    inner join run on earlier.run_id = run.id
    inner join node
        on
            earlier.unique_id = node.unique_id
            and earlier.relation is not distinct from node.relation
    where
        earlier.status in ('success', 'pass', 'warn')
        and (node.relation is not null or run.target is not distinct from cast(:target as text))
)

select
    unique_id,
    percentile_cont(0.5) within group (order by seconds) as usual_seconds
from successes
where age <= 20
group by unique_id
having count(*) >= 5
