-- For the exporter: the waiting messages of each channel, their age, and whether the channel is paused.
select
    coalesce(waiting.channel, pace.channel) as channel,
    coalesce(waiting.messages, 0) as messages,
    coalesce(waiting.oldest_seconds, 0) as oldest_seconds,
    coalesce(pace.paused_until > now(), false) as paused,
    pace.not_configured_since is not null as not_configured
from (
    select
        channel,
        count(*) as messages,
        cast(extract(epoch from now() - min(queued_at)) as double precision) as oldest_seconds
    from ops.deliveries
    where status in ('pending', 'sending')
    group by channel
) as waiting
full join ops.delivery_channels as pace on waiting.channel = pace.channel
order by 1
