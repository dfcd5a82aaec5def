-- Notices that were not and will not be sent to any recipient: not addressed yet, or every delivery
-- failed. Those without a candidate left are retried for a while, because a channel may have been
-- configured since.
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
