-- What is addressed to a mail channel by its name becomes one message for each of its addresses, so
-- that each is sent, refused and tried again alone. The ids follow from the first one.
with whole as (
    update ops.alert_deliveries
    set status = 'skipped'
    where channel = :channel and recipient = :channel and status = 'pending'
    returning event_id, channel, message_id, payload, created_at
)

insert into ops.alert_deliveries (event_id, channel, recipient, message_id, payload, created_at)
select
    whole.event_id,
    whole.channel,
    address,
    case
        when whole.message_id like '<%' then replace(whole.message_id, '@', '-' || md5(address) || '@')
        else whole.message_id || '-' || md5(address)
    end,
    whole.payload,
    whole.created_at
from whole
cross join unnest(cast(:addresses as text[])) as address
on conflict (message_id) do nothing
