create table ops.dbt_states (
    id uuid primary key default gen_random_uuid(),
    flow_run_id uuid,
    kept_at timestamptz not null default now(),
    project text not null,
    command text not null,
    target text,
    host text not null,
    folder text not null,
    files text[] not null
);
create index dbt_states_kept_at on ops.dbt_states (kept_at);

comment on table ops.dbt_states is
'One row per kept state of production, which `--state production` of dbt refers to';
comment on column ops.dbt_states.id is 'Primary key';
comment on column ops.dbt_states.flow_run_id is 'Flow run that the state is of';
comment on column ops.dbt_states.kept_at is 'When the run ended';
comment on column ops.dbt_states.project is 'Name in dbt_project.yml';
comment on column ops.dbt_states.command is 'dbt command of the run';
comment on column ops.dbt_states.target is 'Target of the run; null for the default of profiles.yml';
comment on column ops.dbt_states.host is 'Host that has the files';
comment on column ops.dbt_states.folder is 'Folder of the files below DBT_STATE_DIR of that host';
comment on column ops.dbt_states.files is
'Files that this run changed; the others are those of the state before';

alter table ops.dbt_node_results
add column started_at timestamptz,
add column failures bigint,
add column owner text,
add column tags text[],
add column group_name text,
add column relation text,
add column compiled_sql text,
add column failures_relation text,
add column usual_seconds double precision;

comment on column ops.dbt_node_results.started_at is 'When dbt started the node; null if it never did';
comment on column ops.dbt_node_results.failures is 'Number of rows that a test found';
comment on column ops.dbt_node_results.owner is
'Owner of the node: meta.owner, or that of its group; of a test, that of the model it tests';
comment on column ops.dbt_node_results.tags is 'Tags of the node';
comment on column ops.dbt_node_results.group_name is 'Group of the node';
comment on column ops.dbt_node_results.relation is 'Relation that the node builds, quoted';
comment on column ops.dbt_node_results.compiled_sql is
'SQL of a failed node as dbt ran it, at most 10,000 bytes';
comment on column ops.dbt_node_results.failures_relation is
'Table with the rows that a test found, if it stores them (store_failures)';
comment on column ops.dbt_node_results.usual_seconds is
'Median of the durations of up to 20 earlier successes; null with fewer than 5';
