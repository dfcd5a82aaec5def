select
    delivery.id,
    delivery.queued_at,
    message.kind,
    message.content ->> 'subject' as subject,
    message.content ->> 'severity' as severity,
    message.content -> 'links' -> 0 ->> 'url' as url,
    message.content -> 'json' ->> 'rule' as rule,
    message.content -> 'json' ->> 'runbook' as runbook,
    message.content -> 'json' ->> 'owner' as owner
from ops.deliveries as delivery
inner join ops.messages as message on delivery.message_id = message.id
where
    delivery.channel = :channel
    and delivery.recipient = :recipient
    and delivery.domain = :domain
    and delivery.status = 'pending'
    and delivery.next_attempt_at <= now()
    and delivery.digest_of is null
    and not delivery.with_files
    and message.kind <> 'digest'
    and case
        when cast(:ids as uuid[]) is null then delivery.group_until is null
        else delivery.id = any(cast(:ids as uuid[]))
    end
order by delivery.position
limit :max_members
for update of delivery skip locked
