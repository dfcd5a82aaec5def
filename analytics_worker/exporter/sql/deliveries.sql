-- Deliveries that are settled. What is sent again on request counts again: it is queued anew.
select
    id || ' ' || extract(epoch from queued_at) as key,
    extract(epoch from greatest(next_attempt_at, sent_at, failed_at)) as at,
    domain,
    channel,
    status
from ops.deliveries
where
    status not in ('pending', 'sending')
    and greatest(next_attempt_at, sent_at, failed_at) >= to_timestamp(%(since)s)
