select
    domain,
    channel,
    count(*) as number,
    extract(epoch from now() - min(queued_at)) as age
from ops.deliveries
where status in ('pending', 'sending')
group by domain, channel
