insert into ops.delivery_channels (channel, tokens, refilled_at)
values (:channel, :capacity, now())
on conflict (channel) do update
    set tokens = excluded.tokens, refilled_at = excluded.refilled_at
    where delivery_channels.tokens is null
