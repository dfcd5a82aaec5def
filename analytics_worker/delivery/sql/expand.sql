-- Replace a delivery to a channel as a whole by one delivery for each of its addresses, so that each is
-- sent, refused and retried on its own. The keys are derived from the first one.
with whole as (
    delete from ops.deliveries
    where
        channel = :channel
        and recipient = :channel
        and status = 'pending'
        and not recipient = any(cast(:addresses as text[]))
        and (cast(:domain as text) is null or domain = :domain)
    returning *
)

insert into ops.deliveries (
    message_id, domain, topic, position, with_files, channel, recipient, role, idempotency_key,
    attempts, last_error, created_at, queued_at, group_until
)
select
    whole.message_id,
    whole.domain,
    whole.topic,
    whole.position,
    whole.with_files,
    whole.channel,
    address,
    whole.role,
    case
        when whole.idempotency_key like '<%@%'
            then replace(whole.idempotency_key, '@', '-' || md5(address) || '@')
        else whole.idempotency_key || '-' || md5(address)
    end,
    whole.attempts,
    whole.last_error,
    whole.created_at,
    whole.queued_at,
    whole.group_until
from whole
cross join unnest(cast(:addresses as text[])) as address
on conflict (idempotency_key) do nothing
