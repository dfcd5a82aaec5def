update ops.dbt_node_health
set notified_since = since
where status = 'failing' and flow_run_id = any(cast(:runs as uuid []));
