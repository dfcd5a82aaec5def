-- Deliver again: failed deliveries with the same key, sent ones with a new key, because receivers drop
-- duplicates.
with message as (
    update ops.messages
    set resent = resent + 1
    where id = :id
    returning id, resent
)

update ops.deliveries as delivery
set
    status = 'pending',
    attempts = 0,
    next_attempt_at = now(),
    queued_at = now(),
    last_error = null,
    sent_at = null,
    digest_of = null,
    notice_id = null,
    refused_by = '{}',
    refused_at = null,
    receipt = '{}',
    idempotency_key = case
        when delivery.status = 'failed' then delivery.idempotency_key
        when delivery.idempotency_key like '<%@%'
            then regexp_replace(delivery.idempotency_key, '(-r[0-9]+)?@', '-r' || message.resent || '@')
        else regexp_replace(delivery.idempotency_key, '(-r[0-9]+)?$', '-r' || message.resent)
    end
from message
where
    delivery.message_id = message.id
    and (
        delivery.status = 'failed'
        or (not cast(:failed_only as boolean) and delivery.status in ('sent', 'digested'))
    )
returning delivery.id
