-- Notices that nobody has got or will get: not enqueued to anybody yet, or every recipient failed.
-- Those for which there was no candidate left are looked at again for a while: somebody may have
-- configured a channel since.
select
    notice.id,
    notice.unheard_at is not null as unheard,
    message.id as message_id,
    message.owner,
    message.fallback,
    notice.notice_channel as channel
from ops.messages as notice
inner join ops.messages as message on notice.notice_of = message.id
where
    (cast(:domain as text) is null or notice.domain = :domain)
    and notice.created_at > now() - make_interval(secs => :max_age_seconds)
    and not exists (
        select 1
        from ops.deliveries as delivery
        where
            delivery.message_id = notice.id
            and delivery.status in ('pending', 'sending', 'sent', 'digested')
    )
order by notice.position
limit 1000
for update of notice skip locked
