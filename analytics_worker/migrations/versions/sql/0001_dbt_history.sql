create table ops.dbt_runs (
    id uuid primary key default gen_random_uuid(),
    flow_run_id uuid,
    command text not null,
    args text[] not null default '{}',
    started_at timestamptz not null,
    seconds double precision,
    status text not null,
    executed integer not null default 0,
    passed integer not null default 0,
    warned integer not null default 0,
    failed integer not null default 0,
    skipped integer not null default 0,
    error text
);
comment on table ops.dbt_runs is 'One row per dbt invocation of the worker';
create index dbt_runs_started_at on ops.dbt_runs (started_at);

create table ops.dbt_node_results (
    run_id uuid not null references ops.dbt_runs on delete cascade,
    unique_id text not null,
    resource_type text not null,
    name text not null,
    status text not null,
    seconds double precision,
    rows_affected bigint,
    message text,
    primary key (run_id, unique_id)
);
comment on table ops.dbt_node_results is 'One row per node of a dbt invocation';
create index dbt_node_results_unique_id on ops.dbt_node_results (unique_id);
