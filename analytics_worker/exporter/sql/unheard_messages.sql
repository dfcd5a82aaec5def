-- Notices of failed deliveries that reached no candidate.
select
    id as key,
    extract(epoch from unheard_at) as at,
    domain
from ops.messages
where unheard_at >= to_timestamp(%(since)s)
