-- The failing nodes of the kinds that a run's command runs. A run with another target than the default one
-- says nothing about the default one, and a node that fails only there delays no recovery.
with runs as (
    select distinct on (flow_run_id)
        flow_run_id,
        case command
            when 'dbt test' then array['test', 'unit_test']
            when 'dbt source freshness' then array['source']
            when 'dbt seed' then array['seed']
            when 'dbt snapshot' then array['snapshot']
            when 'dbt build' then array['model', 'test', 'unit_test', 'seed', 'snapshot']
            when 'dbt run' then array['model']
            else array[]::text []
        end as resource_types
    from ops.dbt_runs
    where flow_run_id = any(cast(:runs as uuid []))
    order by flow_run_id, started_at desc
)

select
    runs.flow_run_id,
    array(
        select node.name
        from ops.dbt_node_health as node
        where
            node.status = 'failing'
            and node.target = ''
            and node.resource_type = any(runs.resource_types)
            and node.project = coalesce(
                (
                    select min(own.project)
                    from ops.dbt_node_health as own
                    where own.flow_run_id = runs.flow_run_id
                ),
                node.project
            )
        order by node.name
    ) as failing_nodes
from runs
