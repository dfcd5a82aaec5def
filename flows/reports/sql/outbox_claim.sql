-- The oldest due mails, for nobody else to send; those of one report together, because they share
-- their attachment.
with due as (
    select id
    from ops.report_deliveries
    where status = 'pending' and next_attempt_at <= now()
    order by run_id, role, recipient
    limit :batch
    for update skip locked
),

claimed as (
    update ops.report_deliveries as delivery
    set
        status = 'sending',
        lease_owner = :owner,
        lease_until = now() + make_interval(secs => :lease_seconds)
    from due
    where delivery.id = due.id
    returning
        delivery.id,
        delivery.run_id,
        delivery.recipient,
        delivery.role,
        delivery.message_id,
        delivery.payload,
        delivery.attempts
)

select *
from claimed
order by run_id, role, recipient
