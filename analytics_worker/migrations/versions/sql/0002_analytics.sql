create table ops.catalog_relations (
    schema_name text not null,
    relation_name text not null,
    oid oid not null,
    kind text not null
    check (kind in ('table', 'partitioned table', 'view', 'materialized view', 'foreign table')),
    description text,
    columns integer not null,
    row_estimate bigint,
    bytes bigint,
    storage text,
    modifications text,
    last_analyzed_at timestamptz,
    last_refreshed_at timestamptz,
    data_as_of timestamptz,
    status text not null check (status in ('active', 'stale', 'missing')),
    first_seen_at timestamptz not null default now(),
    missing_since timestamptz,
    updated_at timestamptz not null default now(),
    primary key (schema_name, relation_name)
);
comment on table ops.catalog_relations is 'One row per relation of the analytics schemas, kept after it vanished';
comment on column ops.catalog_relations.row_estimate is 'Rows as of the last ANALYZE or VACUUM; null if never';
comment on column ops.catalog_relations.bytes is 'With indexes and TOAST; of a partitioned table, with its partitions';
comment on column ops.catalog_relations.storage is 'Files and counters when the bytes were measured; a difference means that they must be again';
comment on column ops.catalog_relations.modifications is 'File and modification counters; a difference means that the data changed';
comment on column ops.catalog_relations.data_as_of is 'When the data was last seen to change, or known to be up to date; null where nothing is stored';

create view ops.catalog as
select
    schema_name,
    relation_name,
    kind,
    status,
    description,
    columns,
    row_estimate,
    bytes,
    last_analyzed_at,
    last_refreshed_at,
    data_as_of,
    now() - data_as_of as age,
    first_seen_at,
    missing_since,
    updated_at,
    oid
from ops.catalog_relations;
comment on view ops.catalog is 'The catalog with the age of the data as of now';

create table ops.catalog_columns (
    schema_name text not null,
    relation_name text not null,
    column_name text not null,
    position smallint not null,
    data_type text not null,
    nullable boolean not null,
    description text,
    primary key (schema_name, relation_name, column_name)
);
comment on table ops.catalog_columns is 'Columns as last seen';

create table ops.catalog_changes (
    id bigint generated always as identity primary key,
    changed_at timestamptz not null default now(),
    schema_name text not null,
    relation_name text not null,
    column_name text,
    change text not null check (change in (
        'relation appeared', 'relation vanished', 'kind changed',
        'column added', 'column removed', 'type changed', 'nullability changed'
    )),
    before text,
    after text
);
comment on table ops.catalog_changes is 'What changed in the shape of the warehouse, and when it was noticed';
create index catalog_changes_changed_at on ops.catalog_changes (changed_at);
create index catalog_changes_relation on ops.catalog_changes (schema_name, relation_name, changed_at);

create table ops.refresh_log (
    id bigint generated always as identity primary key,
    flow_run_id uuid,
    schema_name text not null,
    view_name text not null,
    view_oid oid not null,
    attempt integer not null default 1,
    status text not null check (status in ('running', 'success', 'failed', 'skipped', 'unchanged')),
    mode text check (mode in ('concurrently', 'plain')),
    reason text not null,
    rows bigint,
    bytes bigint,
    wait_seconds double precision,
    seconds double precision,
    error text,
    fingerprint jsonb,
    started_at timestamptz not null default now(),
    finished_at timestamptz
);
comment on table ops.refresh_log is 'One row per attempt to refresh a materialized view, and per decision not to';
comment on column ops.refresh_log.reason is 'Why it was refreshed in this mode, or why not';
comment on column ops.refresh_log.wait_seconds is 'Time spent waiting for locks that others held';
comment on column ops.refresh_log.fingerprint is 'What the inputs looked like just before the refresh';
create index refresh_log_view on ops.refresh_log (schema_name, view_name, id desc);
create index refresh_log_started_at on ops.refresh_log (started_at);
create index refresh_log_running on ops.refresh_log (view_oid) where status = 'running';

create table ops.query_texts (
    query_id bigint primary key,
    query text not null,
    first_seen_at timestamptz not null default now()
);
comment on table ops.query_texts is 'Normalized statements, each stored once';

create table ops.query_counters (
    user_id oid not null,
    query_id bigint not null,
    top_level boolean not null,
    calls bigint not null,
    total_ms double precision not null,
    rows bigint not null,
    blocks_hit bigint not null,
    blocks_read bigint not null,
    temp_blocks bigint not null,
    wal_bytes numeric not null,
    reset_at timestamptz,
    taken_at timestamptz not null,
    primary key (user_id, query_id, top_level)
);
comment on table ops.query_counters is 'Counters of pg_stat_statements at the last snapshot: what the next deltas start from';

create table ops.query_statistics (
    taken_at timestamptz not null,
    rank integer not null,
    query_id bigint not null references ops.query_texts,
    role_name text not null,
    top_level boolean not null,
    since timestamptz,
    calls bigint not null,
    total_seconds double precision not null,
    mean_milliseconds double precision,
    rows bigint not null,
    blocks_hit bigint not null,
    blocks_read bigint not null,
    temp_blocks bigint not null,
    wal_bytes numeric not null,
    primary key (taken_at, rank)
);
comment on table ops.query_statistics is 'The statements that took the most time between two snapshots; the counters are deltas';
comment on column ops.query_statistics.since is 'Start of the interval: the snapshot before, or the last reset of the counters';
create index query_statistics_query on ops.query_statistics (query_id, taken_at);
