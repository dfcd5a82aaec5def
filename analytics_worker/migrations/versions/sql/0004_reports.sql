create table ops.report_definitions (
    name text primary key,
    definition jsonb not null,
    schedule text not null check (schedule in ('daily', 'weekly', 'monthly', 'manual')),
    enabled boolean not null default true,
    done_until timestamptz,
    retired_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table ops.report_definitions is 'Reports of definitions/reports.yml';
comment on column ops.report_definitions.definition is 'The report as validated; what is left out has its default';
comment on column ops.report_definitions.done_until is 'End of the last period that a schedule has taken up: later ones that were missed are caught up';
comment on column ops.report_definitions.retired_at is 'When the report left its file; it is not made any more';

create table ops.report_runs (
    id bigint generated always as identity primary key,
    report text not null,
    kind text not null check (kind in ('scheduled', 'single', 'ad_hoc')),
    period text not null,
    key text not null default '',
    definition jsonb not null,
    row_values jsonb not null default '{}',
    period_start timestamptz not null,
    period_end timestamptz not null,
    status text not null default 'pending'
    check (status in ('pending', 'running', 'ready', 'skipped', 'failed')),
    reason text,
    error text,
    attempts integer not null default 0,
    rows bigint,
    truncated boolean not null default false,
    content_hash text,
    storage text not null default '',
    files jsonb not null default '[]',
    bytes bigint not null default 0,
    mail jsonb,
    resent integer not null default 0,
    lease_owner text,
    lease_until timestamptz,
    flow_run_id uuid,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    unique (report, period, key)
);
comment on table ops.report_runs is 'One row per report, period and key: the constraint makes a second one impossible';
comment on column ops.report_runs.period is '2026-11-22, 2026-W47 or 2026-11; of an ad-hoc report, the flow run that asked for it';
comment on column ops.report_runs.key is 'Of a report that is made for each row of a query, which row';
comment on column ops.report_runs.definition is 'The report as it was when the run was asked for: any worker can finish it';
comment on column ops.report_runs.reason is 'Why it was skipped, or what its readers are told about its data';
comment on column ops.report_runs.content_hash is 'Of the rows, to tell whether they changed since the last time';
comment on column ops.report_runs.storage is 'Name of the report-storage block that holds the files; empty for REPORT_OUTPUT_DIR';
comment on column ops.report_runs.files is 'Name, format, bytes and rows of each file';
comment on column ops.report_runs.mail is 'Subject, texts and images of the mail, the same for all its recipients';
comment on column ops.report_runs.lease_owner is 'Who makes it now; alive as long as its connection holds the advisory lock of that name';
create index report_runs_status on ops.report_runs (status) where status in ('pending', 'running');
create index report_runs_finished_at on ops.report_runs (finished_at);

create table ops.report_deliveries (
    id uuid primary key default gen_random_uuid(),
    run_id bigint not null references ops.report_runs on delete cascade,
    recipient text not null,
    role text not null check (role in ('to', 'cc', 'bcc', 'owner')),
    message_id text not null unique,
    payload jsonb,
    status text not null default 'pending'
    check (status in ('pending', 'sending', 'sent', 'failed')),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    lease_owner text,
    lease_until timestamptz,
    last_error text,
    created_at timestamptz not null default now(),
    sent_at timestamptz
);
comment on table ops.report_deliveries is 'Outbox: one row per report run and recipient, written together with the run''s file';
comment on column ops.report_deliveries.payload is 'Subject and text of a mail to the owner; null for the report''s own mail';
comment on column ops.report_deliveries.message_id is 'Message-ID, the same for every attempt';
create index report_deliveries_due on ops.report_deliveries (status, next_attempt_at);
create index report_deliveries_run on ops.report_deliveries (run_id);

create function ops.report_worker_lives(owner text) returns boolean
language sql stable
as $$
    select exists (
        select 1
        from pg_locks as held
        where
            held.locktype = 'advisory'
            and held.database = (select oid from pg_database where datname = current_database())
            and held.classid = hashtext('ops.report_runs')::oid
            and held.objid = hashtext(owner)::oid
    )
$$;
comment on function ops.report_worker_lives is 'Whether the connection of a worker still holds the advisory lock of its name';
