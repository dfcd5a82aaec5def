-- Reports of a schedule that failed lately, with their definitions as they are now.
update ops.report_runs as run
set status = 'pending', definition = stored.definition
from ops.report_definitions as stored
where
    run.kind = 'scheduled'
    and run.status = 'failed'
    and run.attempts < :most_attempts
    and run.report = stored.name
    and stored.schedule = :schedule
    and stored.enabled
    and stored.retired_at is null
    and run.created_at > now() - interval '7 days'
