-- What is different in the runs of a report, and what its owner knows of. Locked until the message is enqueued.
select r.id, c.changes, c.notified, c.unchanged_until, c.noticed_at, c.complete_through
from ops.report_comparisons as c
inner join ops.report_runs as r on c.run_id = r.id
where r.report = :report and c.changes <> c.handled
order by r.period_end, r.key, r.id
for update of c
