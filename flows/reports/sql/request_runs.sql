-- Insert one row per report, period and key. An existing row is left as it is, unless it failed and has
-- attempts left: then it is requeued.
with requests as materialized (
    select *
    from jsonb_to_recordset(cast(:runs as jsonb)) as requests (
        report text,
        kind text,
        period text,
        key text,
        definition jsonb,
        row_values jsonb,
        period_start timestamptz,
        period_end timestamptz,
        reason text,
        due_at timestamptz,
        held_since timestamptz,
        unmet jsonb
    )
)

insert into ops.report_runs as run (
    report, kind, period, key, definition, row_values, period_start, period_end, reason, due_at, held_since,
    unmet, flow_run_id
)
select
    report,
    kind,
    period,
    key,
    definition,
    row_values,
    period_start,
    period_end,
    reason,
    due_at,
    held_since,
    coalesce(unmet, '[]'),
    cast(:flow_run_id as uuid)
from requests
on conflict (report, period, key) do update
    set
        status = case
            when run.status = 'failed' and run.attempts < :max_attempts then 'pending' else run.status
        end,
        definition = case when run.status = 'failed' then excluded.definition else run.definition end,
        row_values = case when run.status = 'failed' then excluded.row_values else run.row_values end
returning id, report, period, key, status
