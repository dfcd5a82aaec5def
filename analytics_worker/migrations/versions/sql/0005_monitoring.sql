create table ops.worker_metrics (
    collected_at timestamptz not null,
    host text not null,
    cpu_count integer not null,
    cpu_percent double precision not null,
    load_1m double precision not null,
    load_5m double precision not null,
    load_15m double precision not null,
    memory_total_bytes bigint not null,
    memory_available_bytes bigint not null,
    disk_total_bytes bigint not null,
    disk_free_bytes bigint not null,
    processes jsonb not null,
    workers_online integer not null,
    runs_running integer not null,
    runs_waiting integer not null,
    runs_late integer not null,
    pools jsonb not null,
    primary key (host, collected_at)
);
comment on table ops.worker_metrics is 'One row a minute: the host, the processes of the worker, its queues';
comment on column ops.worker_metrics.disk_free_bytes is 'Of the file system that holds the state folder';
comment on column ops.worker_metrics.processes is 'By component: number of processes and their resident bytes; pages that processes share count in each';
comment on column ops.worker_metrics.runs_running is 'Runs that hold a slot of their pool';
comment on column ops.worker_metrics.runs_waiting is 'Runs that are due and hold no slot';
comment on column ops.worker_metrics.runs_late is 'Those of them that the server calls late';
comment on column ops.worker_metrics.pools is 'By pool: limit, slots used, workers online, runs waiting';
create index worker_metrics_collected_at on ops.worker_metrics (collected_at);

create table ops.task_statistics (
    day date not null,
    kind text not null check (kind in ('flow', 'task')),
    name text not null,
    window_start timestamptz not null,
    window_end timestamptz not null,
    runs integer not null,
    states jsonb not null,
    retries integer not null,
    success_rate double precision,
    duration_p50 double precision,
    duration_p95 double precision,
    duration_max double precision,
    wait_p50 double precision,
    wait_p95 double precision,
    wait_max double precision,
    runs_before integer not null,
    success_rate_before double precision,
    duration_p95_before double precision,
    updated_at timestamptz not null default now(),
    primary key (day, kind, name)
);
comment on table ops.task_statistics is 'Runs that ended within the 24 hours before window_end: one row per day and flow or task';
comment on column ops.task_statistics.name is 'The deployment, or the flow and its task';
comment on column ops.task_statistics.states is 'Number of runs by the name of the state that they ended in';
comment on column ops.task_statistics.success_rate is 'Completed runs of all that ended; null without runs';
comment on column ops.task_statistics.duration_p50 is 'Seconds from start to end';
comment on column ops.task_statistics.wait_p50 is 'Seconds from when it was due to its start';
comment on column ops.task_statistics.runs_before is 'The same over the 24 hours before';

create table ops.deployment_health (
    deployment text primary key,
    status text not null check (status in ('ok', 'failing')),
    since timestamptz not null,
    failures integer not null default 0,
    last_run_id uuid not null,
    last_ended_at timestamptz not null,
    last_state text not null,
    last_message text
);
comment on table ops.deployment_health is 'How the last run of each deployment ended, and since when it fails';
comment on column ops.deployment_health.failures is 'Failed runs in a row';

create table ops.judged_runs (
    run_id uuid not null,
    state_id uuid not null,
    ended_at timestamptz not null,
    primary key (run_id, state_id)
);
comment on table ops.judged_runs is 'Ends of runs that deployment_health has counted; kept as long as the look back reaches';
create index judged_runs_ended_at on ops.judged_runs (ended_at);

create table ops.deployment_notices (
    id uuid primary key default gen_random_uuid(),
    deployment text not null,
    kind text not null check (kind in ('failing', 'recovered')),
    details jsonb not null,
    channel text not null,
    recipient text not null,
    status text not null default 'pending' check (status in ('pending', 'sent', 'failed')),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    last_error text,
    created_at timestamptz not null default now(),
    sent_at timestamptz
);
comment on table ops.deployment_notices is 'Outbox: who is to be told that a deployment fails, or works again; the id is the key of every attempt';
create index deployment_notices_due on ops.deployment_notices (next_attempt_at) where status = 'pending';
