alter table ops.report_runs
drop constraint report_runs_kind_check,
add constraint report_runs_kind_check
check (kind in ('scheduled', 'single', 'ad_hoc', 'preliminary'));

comment on column ops.report_runs.kind is
'scheduled, single, ad_hoc, or preliminary: of a period that was not over';
comment on column ops.report_runs.period is
'2026-11-22, 2026-W47, 2026-11, 2026-Q4, or the due time at which the period ends;'
' for a preliminary report, followed by the time of the request;'
' for an ad-hoc report, the flow run that requested it';

alter table ops.report_definitions
add column due_until timestamptz,
drop constraint report_definitions_schedule_check,
add constraint report_definitions_schedule_check
check (schedule in ('daily', 'weekly', 'monthly', 'manual', 'custom'));

comment on column ops.report_definitions.schedule is
'daily, weekly, monthly, manual, or custom: at the times of its cron or at';
comment on column ops.report_definitions.due_until is
'Last due time of its own (cron, at, or a time zone other than UTC) whose run was requested';
