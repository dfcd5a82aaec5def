select
    delivery.channel,
    count(*) as messages,
    min(delivery.queued_at) as oldest,
    max(pace.reason) as reason
from ops.deliveries as delivery
inner join ops.delivery_channels as pace on delivery.channel = pace.channel
where delivery.status = 'pending' and pace.not_configured_since is not null
group by delivery.channel
order by delivery.channel
