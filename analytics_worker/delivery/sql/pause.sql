-- Pause a channel for all hosts, because its receiver requested it. If the request has no duration, each
-- pause is longer than the previous one.
insert into ops.delivery_channels as pace (channel, paused_until, pauses, limited_at, reason)
values (:channel, now() + make_interval(secs => :seconds), 1, now(), :reason)
on conflict (channel) do update
    set
        pauses = case when pace.paused_until > now() - interval '1 hour' then pace.pauses + 1 else 1 end,
        paused_until = greatest(pace.paused_until, excluded.paused_until),
        limited_at = excluded.limited_at,
        reason = excluded.reason
