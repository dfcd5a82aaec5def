-- The oldest due messages of a channel, for nobody else to send. What somebody is to hear of an alert
-- waits until the earlier ones of the same alert have reached them or were given up: nobody hears that
-- it is over before hearing that it fires.
with unsettled as (
    select
        delivery.id,
        delivery.event_id,
        row_number() over (
            partition by delivery.recipient, event.rule_id, event.group_key order by delivery.event_id
        ) as place
    from ops.alert_deliveries as delivery
    left join ops.alert_events as event on delivery.event_id = event.id
    where delivery.channel = :channel and delivery.status in ('pending', 'sending')
),

due as (
    select delivery.id
    from ops.alert_deliveries as delivery
    inner join unsettled on delivery.id = unsettled.id
    where
        delivery.status = 'pending'
        and delivery.next_attempt_at <= now()
        and (unsettled.place = 1 or unsettled.event_id is null)
    order by delivery.next_attempt_at, delivery.created_at
    limit :batch
    for update of delivery skip locked
)

update ops.alert_deliveries as delivery
set
    status = 'sending',
    lease_owner = :owner,
    lease_until = now() + make_interval(secs => :lease_seconds)
from due
where delivery.id = due.id
returning
    delivery.id, delivery.recipient, delivery.message_id, delivery.payload, delivery.attempts
