alter table ops.report_runs
drop constraint report_runs_kind_check,
add constraint report_runs_kind_check
check (kind in ('scheduled', 'single', 'ad_hoc', 'preliminary', 'follow_up')),
add column unmet_requirements jsonb not null default '[]',
add column held_parts jsonb not null default '[]',
add column parts_held_until timestamptz;
create index report_runs_held_parts on ops.report_runs (id) where parts_held_until is not null;
comment on column ops.report_runs.kind is
'scheduled, single, ad_hoc, preliminary: of a period that was not over; or follow_up: sent again with the parts that were held';
comment on column ops.report_runs.period is
'2026-11-22, 2026-W47, 2026-11, 2026-Q4, or the due time of a report without such a period;'
' for a preliminary report, followed by the time of the request, for a follow-up by "again";'
' for an ad-hoc report, the flow run that requested it';
comment on column ops.report_runs.unmet_requirements is
'Of a held run: the names of the requirements in unmet: tests, fresh, complete or no_incident';
comment on column ops.report_runs.held_parts is
'The parts that were held when it was sent: part, position, title, what is not met, what their SQL reads';
comment on column ops.report_runs.parts_held_until is
'Until when the held parts may follow; null if none is held, they followed, or it is too late';
-- The hash of a row is computed in another way from now on.
update ops.report_values
set problem = 'it was sent by an earlier version'
where part = 'table' and hash is not null and problem is null;
update ops.report_comparisons
set
    changes = jsonb_path_query_array(changes, '$[*] ? (@.part != "table")'),
    handled = jsonb_path_query_array(handled, '$[*] ? (@.part != "table")'),
    notified = jsonb_path_query_array(notified, '$[*] ? (@.part != "table")')
where changes || handled || notified <> '[]';
