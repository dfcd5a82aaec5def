select min(greatest(delivery.next_attempt_at, pace.paused_until)) as at
from ops.deliveries as delivery
left join ops.delivery_channels as pace on delivery.channel = pace.channel
where
    delivery.status = 'pending'
    and delivery.digest_of is null
    and (cast(:domain as text) is null or delivery.domain = :domain)
