select status, count(*) as deliveries
from ops.deliveries
where message_id = any(cast(:ids as uuid[]))
group by status
