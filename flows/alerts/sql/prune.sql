with evaluations as (
    delete from ops.alert_evaluations
    where (rule_id, slot) in (
        select rule_id, slot
        from ops.alert_evaluations
        where evaluated_at < now() - :days * interval '1 day'
        order by evaluated_at
        limit 20000
    )
),

events as (
    delete from ops.alert_events
    where id in (
        select event.id
        from ops.alert_events as event
        where
            event.created_at < now() - :days * interval '1 day'
            and not exists (
                select
                from ops.messages as message
                inner join ops.deliveries as delivery on message.id = delivery.message_id
                where
                    message.domain = 'alerts'
                    and message.reference = cast(event.id as text)
                    and delivery.status in ('pending', 'sending')
            )
        order by event.created_at
        limit 1000
    )
),

old_sql as (
    delete from ops.alert_sql
    where last_run_at < now() - (:days + 1) * interval '1 day'
),

old_silences as (
    delete from ops.alert_silences
    where until < now() - :days * interval '1 day'
),

old_requests as (
    delete from ops.alert_requests
    where id in (
        select id
        from ops.alert_requests
        where accepted_at < now() - greatest(:days, 8) * interval '1 day'  -- longer than a request runs again
        order by accepted_at
        limit 5000
    )
)

delete from ops.alert_rules
where id in (
    select id
    from ops.alert_rules
    where
        greatest(updated_at, evaluated_at) < now() - :days * interval '1 day'
        and (retired_at is not null or (kind = 'event' and not watched))
    limit 1000
)
