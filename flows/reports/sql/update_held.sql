-- End the held runs of reports that were removed or disabled. Those whose definition has changed are not held
-- any longer, until they are claimed: what they require, and what their SQL reads, may differ.
update ops.report_runs as run
set
    definition = coalesce(stored.definition, run.definition),
    status = case when stored.name is null then 'skipped' else 'pending' end,
    reason = case
        when stored.name is null then 'the report was removed or disabled while it was held' else run.reason
    end,
    finished_at = case when stored.name is null then now() end
from ops.report_runs as held
left join ops.report_definitions as stored
    on held.report = stored.name and stored.enabled and stored.retired_at is null
where
    run.id = held.id
    and run.status = 'held'
    and held.status = 'held'
    and run.definition is distinct from stored.definition
