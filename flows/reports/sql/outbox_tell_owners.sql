-- One mail to the owner of a report for each run that did not reach everybody. Whether the owner was
-- told follows from the message's id, so it happens once for each time that it was sent.
with undelivered as (
    select
        delivery.run_id,
        run.definition ->> 'owner' as owner,
        coalesce(run.mail ->> 'subject', run.report) as subject,
        'undelivered-' || run.id || '-' || run.resent as message_id,
        string_agg(
            delivery.recipient || ': ' || coalesce(delivery.last_error, 'unknown'),
            e'\n' order by delivery.recipient
        ) as recipients
    from ops.report_deliveries as delivery
    inner join ops.report_runs as run on delivery.run_id = run.id
    where
        delivery.status = 'failed'
        and delivery.role <> 'owner'
        and delivery.created_at > now() - interval '30 days'
        and run.definition ->> 'owner' is not null
    group by delivery.run_id, run.id
)

insert into ops.report_deliveries (run_id, recipient, role, message_id, payload)
select
    run_id,
    owner,
    'owner',
    message_id,
    jsonb_build_object(
        'subject', 'Not delivered: ' || subject,
        'text', 'Your report did not reach everybody. Nobody tries again by itself.'
        || e'\n\nReport: ' || subject
        || e'\n\n' || left(recipients, 4000)
        || e'\n\nSend it once more to those who missed it:\n'
        || 'analytics-worker reports resend ' || run_id || ' --failed'
    )
from undelivered
where not exists (
    select 1
    from ops.report_deliveries as notice
    where notice.message_id = undelivered.message_id
)
on conflict (message_id) do nothing
returning id
