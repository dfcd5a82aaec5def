-- Only a recipient of a message gets the messages that follow it: cancel messages that follow one that
-- was not and will not be sent to this recipient, unless a later one of the topic that follows none is.
-- Wider than the condition of ops.sendable_deliveries: what is still to be sent counts here, and so does the whole channel.
update ops.deliveries as delivery
set
    status = 'cancelled',
    last_error = 'the message that this one follows was not delivered to this recipient'
from ops.messages as message
where
    delivery.status = 'pending'
    and delivery.message_id = message.id
    and message.follows is not null
    and not exists (
        select 1
        from ops.deliveries as earlier
        where
            earlier.message_id = message.follows
            and earlier.channel = delivery.channel
            and (earlier.recipient = delivery.recipient or delivery.recipient = delivery.channel)
            and earlier.status in ('pending', 'sending', 'sent', 'digested')
    )
    and not exists (
        -- addressed to the channel as a whole, and not yet to each of its addresses
        select 1
        from ops.deliveries as whole
        where
            whole.message_id = message.follows
            and whole.channel = delivery.channel
            and whole.recipient = whole.channel
            and whole.status = 'pending'
    )
    and not exists (
        select 1
        from ops.messages as first
        inner join ops.deliveries as earlier
            on
                delivery.channel = earlier.channel
                and delivery.topic = earlier.topic
                and delivery.position > earlier.position
                and first.position < earlier.position
        inner join ops.messages as between_them on earlier.message_id = between_them.id
        where
            first.id = message.follows
            and earlier.topic <> ''
            and (earlier.recipient = delivery.recipient or earlier.recipient = earlier.channel
                or delivery.recipient = delivery.channel)
            and earlier.status in ('pending', 'sending', 'sent', 'digested')
            and between_them.follows is null
    )
returning delivery.id
