-- Reports with differences that the owner has not been notified of, or that no longer exist. A report is left
-- while its runs are being compared, for an hour at most, so that one message has all of them.
select distinct r.report
from ops.report_comparisons as c
inner join ops.report_runs as r on c.run_id = r.id
where
    c.changes <> c.handled
    and (r.report <> all(cast(:comparing as text [])) or c.noticed_at < now() - interval '1 hour')
order by r.report
