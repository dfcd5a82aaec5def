-- The runs that were sent without some of their parts, which may follow, of reports that are enabled.
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
    run.finished_at,
    run.held_parts,
    run.parts_held_until,
    false as differs_by_case
from ops.report_runs as run
inner join ops.report_definitions as stored on run.report = stored.name
where run.parts_held_until is not null and run.status = 'ready' and stored.enabled and stored.retired_at is null
order by run.id
