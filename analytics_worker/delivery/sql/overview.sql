-- The last results and the number of waiting messages of each channel.
select
    channel,
    coalesce(counted.waiting, 0) as waiting,
    counted.last_success,
    counted.last_failure,
    counted.last_error,
    case when pace.paused_until > now() then pace.paused_until end as paused_until,
    case when pace.not_configured_since is not null then pace.reason end as waits_for
from (
    select
        channel,
        count(*) filter (where status in ('pending', 'sending')) as waiting,
        max(sent_at) as last_success,
        max(failed_at) as last_failure,
        (array_agg(last_error order by failed_at desc) filter (where failed_at is not null))[1]
            as last_error
    from ops.deliveries
    group by channel
) as counted
full join ops.delivery_channels as pace using (channel)
order by channel
