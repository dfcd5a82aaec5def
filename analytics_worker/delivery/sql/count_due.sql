select count(*) as messages
from ops.deliveries
where
    channel = :channel
    and status = 'pending'
    and next_attempt_at <= now()
    and digest_of is null
    and (cast(:domain as text) is null or domain = :domain)
