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
    status
from ops.report_runs
where id = :id
