-- Sent runs whose numbers are different now, as the owner of their report was notified; 0 for the other reports.
select
    stored.name as report,
    coalesce(restated.number, 0) as number
from ops.report_definitions as stored
left join (
    select
        run.report,
        count(*) as number
    from ops.report_comparisons as compared
    inner join ops.report_runs as run on compared.run_id = run.id
    where compared.notified <> '[]'
    group by run.report
) as restated on stored.name = restated.report
where
    stored.enabled
    and stored.retired_at is null
    and stored.definition -> 'restatement' is distinct from 'false'
