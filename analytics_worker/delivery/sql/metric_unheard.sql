-- For the exporter: undelivered messages that nobody could be notified of.
select domain, count(*) as messages
from ops.messages
where unheard_at is not null
group by domain
