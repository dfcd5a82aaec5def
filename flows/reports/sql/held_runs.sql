select
    id,
    report,
    kind,
    period,
    key,
    cast(definition as text) as definition,
    row_values,
    period_start,
    period_end,
    reason,
    attempts,
    created_at,
    due_at,
    held_since,
    unmet,
    reads,
    false as differs_by_case
from ops.report_runs
where status = 'held'
order by id
