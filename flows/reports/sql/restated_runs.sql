-- Earlier runs of a report and key whose readers have other numbers than those of now, and that no later run shows.
select c.run_id, c.notified, r.period, r.period_start, r.period_end
from ops.report_comparisons as c
inner join ops.report_runs as r on c.run_id = r.id
where
    r.report = :report
    and r.key = :key
    and r.id <> :id
    and c.notified <> '[]'
    and c.shown_in is null
order by r.period_start, r.id
