select concat_ws(' ', r.id, r.report, r.period, r.key) as label
from ops.report_comparisons as c
inner join ops.report_runs as r on c.run_id = r.id
order by r.id desc
limit 5
