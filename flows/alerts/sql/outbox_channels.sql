select distinct channel
from ops.alert_deliveries
where status = 'pending' and next_attempt_at <= now()
