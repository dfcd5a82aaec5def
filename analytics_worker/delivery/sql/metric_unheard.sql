-- For the exporter: notices of undelivered messages without a recipient left.
select domain, count(*) as messages
from ops.messages
where unheard_at is not null
group by domain
