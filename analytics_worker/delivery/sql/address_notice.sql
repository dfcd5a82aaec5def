-- Add a delivery of a notice.
insert into ops.deliveries (
    message_id, domain, topic, position, channel, recipient, role, idempotency_key
)
select message.id, message.domain, message.topic, message.position, :channel, :recipient, 'owner', :key
from ops.messages as message
where message.id = :id
on conflict (idempotency_key) do nothing
returning id
