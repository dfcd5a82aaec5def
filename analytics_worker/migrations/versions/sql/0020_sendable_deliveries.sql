create view ops.sendable_deliveries as
select delivery.*
from ops.deliveries as delivery
where
    delivery.status = 'pending'
    and delivery.next_attempt_at <= now()
    and delivery.digest_of is null
    and (
        delivery.topic = ''
        or not exists (
            select 1
            from ops.deliveries as earlier
            where
                earlier.channel = delivery.channel
                and earlier.recipient = delivery.recipient
                and earlier.topic = delivery.topic
                and earlier.topic <> ''
                and earlier.position < delivery.position
                and earlier.status in ('pending', 'sending')
        )
    )
    and not exists (
        select 1
        from ops.messages as message
        where
            message.id = delivery.message_id
            and message.follows is not null
            and not exists (
                select 1
                from ops.deliveries as earlier
                where
                    earlier.message_id = message.follows
                    and earlier.channel = delivery.channel
                    and earlier.recipient = delivery.recipient
                    and earlier.status in ('sent', 'digested')
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
                    and earlier.recipient = delivery.recipient
                    and earlier.topic <> ''
                    and earlier.status in ('sent', 'digested')
                    and between_them.follows is null
            )
    );
comment on view ops.sendable_deliveries is
'Deliveries that are due and wait for no other message. A recipient gets the messages of a topic in order: a later one waits until the earlier ones are settled. A message that follows another one waits until that one was sent, or a later one of the topic that follows none.';
-- Its columns are those of the table, and so are their comments.
do $$
declare
    described record;
begin
    for described in
        select attribute.attname, col_description(attribute.attrelid, attribute.attnum) as comment
        from pg_attribute as attribute
        where
            attribute.attrelid = 'ops.deliveries'::regclass
            and attribute.attnum > 0
            and not attribute.attisdropped
    loop
        execute 'comment on column ops.sendable_deliveries.' || quote_ident(described.attname)
            || ' is ' || quote_literal(described.comment);
    end loop;
end
$$;
