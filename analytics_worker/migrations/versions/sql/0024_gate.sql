alter table ops.unit_reads add column tested jsonb;
comment on column ops.unit_reads.tested is
'Of a dbt test that is declared on a model: that one, in the form of relations; null if it tests all that it reads';

alter table ops.report_runs
add column due_at timestamptz,
add column held_since timestamptz,
add column unmet jsonb not null default '[]',
add column reads jsonb not null default '[]',
add column unverified jsonb not null default '[]',
drop constraint report_runs_status_check,
add constraint report_runs_status_check
check (status in ('pending', 'held', 'running', 'ready', 'skipped', 'failed'));
create index report_runs_held on ops.report_runs (id) where status = 'held';
comment on column ops.report_runs.status is
'pending, held until its requirements are met, running, ready, skipped or failed';
comment on column ops.report_runs.due_at is 'When it was due; null if a person or a program requested it';
comment on column ops.report_runs.held_since is 'When it was first held; null if it never was';
comment on column ops.report_runs.unmet is 'Why it is held, or was last: a text for each requirement that was not met';
comment on column ops.report_runs.reads is 'Of a held run: the relations that its SQL reads, as SQL names them';
comment on column ops.report_runs.unverified is
'The requirements that were not met when it was generated nevertheless; readers see it marked unverified';
