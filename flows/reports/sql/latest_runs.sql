select concat_ws(' ', id, report, period, key) as label
from ops.report_runs
where status = 'ready'
order by id desc
limit 5
