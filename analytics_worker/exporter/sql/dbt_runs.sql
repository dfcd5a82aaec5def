select
    run.id as key,
    extract(epoch from run.started_at) as at,
    (
        select coalesce(json_object_agg(counted.status, counted.number), '{}')
        from (
            select
                node.status,
                count(*) as number
            from ops.dbt_node_results as node
            where node.run_id = run.id
            group by node.status
        ) as counted
    ) as nodes
from ops.dbt_runs as run
where run.started_at >= to_timestamp(%(since)s)
