create table ops.dbt_node_health (
    unique_id text not null,
    database_name text not null default '',
    schema_name text not null default '',
    relation_name text not null default '',
    project text not null,
    target text not null default '',
    resource_type text not null,
    name text not null,
    status text check (status in ('ok', 'failing')),
    since timestamptz,
    failures integer not null default 0,
    flow_run_id uuid,
    last_result_at timestamptz,
    built_at timestamptz,
    notified_since timestamptz,
    message text,
    primary key (unique_id, database_name, schema_name, relation_name)
);
create index dbt_node_health_flow_run_id on ops.dbt_node_health (flow_run_id);

comment on table ops.dbt_node_health is
'One row per dbt node and relation: its last results. A run without a node does not change its row';
comment on column ops.dbt_node_health.unique_id is 'Id of the node in dbt, such as model.project.name';
comment on column ops.dbt_node_health.database_name is 'Database of the relation';
comment on column ops.dbt_node_health.schema_name is 'Schema of the relation';
comment on column ops.dbt_node_health.relation_name is 'Name of the relation; that of a test if it stores its failures';
comment on column ops.dbt_node_health.project is 'Name of the dbt project';
comment on column ops.dbt_node_health.target is 'Value of --target; empty for the default target';
comment on column ops.dbt_node_health.resource_type is 'model, test, seed, snapshot or another type of dbt';
comment on column ops.dbt_node_health.name is 'Name of the node';
comment on column ops.dbt_node_health.status is 'ok or failing; null if the worker has not run it yet';
comment on column ops.dbt_node_health.since is 'Start of the first run with this status';
comment on column ops.dbt_node_health.failures is 'Failed runs in a row';
comment on column ops.dbt_node_health.flow_run_id is 'Flow run of the last result';
comment on column ops.dbt_node_health.last_result_at is 'Start of the run of the last result';
comment on column ops.dbt_node_health.built_at is
'Start of the last run that built it with its data; -infinity if it was built with --empty or --sample since';
comment on column ops.dbt_node_health.notified_since is
'since of the failures that recipients were notified of';
comment on column ops.dbt_node_health.message is 'Message of dbt about the last result';
