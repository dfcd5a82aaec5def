select
    delivery.channel,
    coalesce(pace.paused_until > now(), false) as paused,
    coalesce(pace.limited_at > now() - interval '1 hour', false) as limited
from (
    select distinct channel
    from ops.deliveries
    where
        status = 'pending'
        and next_attempt_at <= now()
        and (cast(:domain as text) is null or domain = :domain)
) as delivery
left join ops.delivery_channels as pace on delivery.channel = pace.channel
order by delivery.channel
