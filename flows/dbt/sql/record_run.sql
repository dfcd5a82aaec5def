with run as (
    insert into ops.dbt_runs (
        flow_run_id, command, args, started_at, seconds, status, executed, passed, warned, failed,
        skipped, error
    )
    values (
        cast(:flow_run_id as uuid), :command, cast(:args as text []), :started_at, :seconds,
        :status, :executed, :passed, :warned, :failed, :skipped, :error
    )
    returning id
)

insert into ops.dbt_node_results (
    run_id, unique_id, resource_type, name, status, seconds, rows_affected, message,
    started_at, failures, owner, tags, group_name, relation, compiled_sql, failures_relation,
    usual_seconds
)
select
    run.id,
    node.unique_id,
    node.resource_type,
    node.name,
    node.status,
    node.seconds,
    node.rows,
    node.message,
    node.started_at,
    node.failures,
    node.owner,
    node.tags,
    node.group_name,
    node.relation,
    node.compiled_sql,
    node.failures_relation,
    node.usual_seconds
from run
cross join json_to_recordset(cast(:nodes as json)) as node (
    unique_id text,
    resource_type text,
    name text,
    status text,
    seconds double precision,
    rows bigint,
    message text,
    started_at timestamptz,
    failures bigint,
    owner text,
    tags text [],
    group_name text,
    relation text,
    compiled_sql text,
    failures_relation text,
    usual_seconds double precision
)
