select
    node.unique_id,
    run.command,
    node.status,
    node.seconds,
    node.usual_seconds,
    node.rows_affected,
    node.failures,
    node.owner,
    node.relation,
    run.args[
        coalesce(array_position(run.args, '--target'), array_position(run.args, '-t')) + 1
    ] as target,
    node.failures_relation,
    node.message,
    coalesce(node.started_at, run.started_at) as started_at
from ops.dbt_node_results as node
inner join ops.dbt_runs as run on node.run_id = run.id
where node.name = :node or node.unique_id = :node
order by started_at desc, node.unique_id
limit :limit
