-- Recipients with more waiting messages than the rate of the channel allows. Files cannot be part of a
-- digest: messages with attachments are sent one by one.
select recipient, domain
from ops.deliveries
where
    channel = :channel
    and status = 'pending'
    and next_attempt_at <= now()
    and digest_of is null
    and group_until is null
    and not with_files
    and (cast(:domain as text) is null or domain = :domain)
group by recipient, domain
having count(*) > :threshold
