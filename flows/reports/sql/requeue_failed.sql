-- Requeue the runs of reports that failed in the last 7 days, with their current definitions.
update ops.report_runs as run
set status = 'pending', definition = stored.definition
from ops.report_definitions as stored
where
    run.kind = 'scheduled'
    and run.status = 'failed'
    and run.attempts < :max_attempts
    and run.report = stored.name
    and stored.name = any(cast(:reports as text []))
    and stored.enabled
    and stored.retired_at is null
    and run.created_at > now() - interval '7 days'
