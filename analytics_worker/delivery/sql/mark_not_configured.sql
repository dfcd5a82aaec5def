insert into ops.delivery_channels as pace (channel, not_configured_since, reason)
values (:channel, now(), :reason)
on conflict (channel) do update
    set
        not_configured_since = coalesce(pace.not_configured_since, excluded.not_configured_since),
        reason = excluded.reason
