-- The oldest due messages of a channel, for nobody else to send.
with due as (
    select id
    from ops.alert_deliveries
    where channel = :channel and status = 'pending' and next_attempt_at <= now()
    order by next_attempt_at, created_at
    limit :batch
    for update skip locked
)

update ops.alert_deliveries as delivery
set
    status = 'sending',
    lease_owner = :owner,
    lease_until = now() + make_interval(secs => :lease_seconds)
from due
where delivery.id = due.id
returning
    delivery.id, delivery.recipient, delivery.message_id, delivery.payload, delivery.attempts
