-- When the next mail is to be tried again.
select min(next_attempt_at) as at
from ops.report_deliveries
where status = 'pending'
