select channel, recipient, role, status, attempts, last_error
from ops.deliveries
where message_id = :message_id and (cast(:channel as text) is null or channel = :channel)
order by recipient
