delete from ops.messages
where id in (
    select message.id
    from ops.messages as message
    where
        message.domain = :domain
        and (cast(:kind as text) is null or message.kind = :kind)
        and message.created_at < now() - make_interval(secs => :age_seconds)
        and not exists (
            select 1
            from ops.deliveries as delivery
            where delivery.message_id = message.id and delivery.status in ('pending', 'sending')
        )
        and not exists (
            select 1
            from ops.deliveries as digest
            inner join ops.deliveries as member on digest.id = member.digest_of
            where digest.message_id = message.id and member.status = 'pending'
        )
    order by message.created_at
    limit 5000
)
returning id
