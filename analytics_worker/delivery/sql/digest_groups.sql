-- Recipients for whom more has piled up than the channel carries. Files cannot be named in a line:
-- messages with attachments are sent as they are.
select recipient, domain
from ops.deliveries
where
    channel = :channel
    and status = 'pending'
    and next_attempt_at <= now()
    and digest_of is null
    and not with_files
    and (cast(:domain as text) is null or domain = :domain)
group by recipient, domain
having count(*) > :threshold
