select
    run.id,
    run.report,
    run.kind,
    run.period,
    run.key,
    cast(run.definition as text) as definition,
    run.row_values,
    run.period_start,
    run.period_end,
    run.reason,
    run.attempts,
    run.created_at,
    run.due_at,
    run.held_since,
    run.unmet,
    run.status,
    exists (
        select
        from ops.report_runs as earlier
        where
            earlier.report = run.report
            and earlier.period = run.period
            and earlier.id < run.id
            and lower(earlier.key) = lower(run.key)
    ) as differs_by_case
from ops.report_runs as run
where run.id = :id
