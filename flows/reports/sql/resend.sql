-- Mails of a run that go out again: what was missed under the same Message-ID, what arrived under
-- another one, because receivers drop what they have seen.
with run as (
    update ops.report_runs
    set resent = resent + 1
    where id = :run_id and status = 'ready'
    returning id, resent
),

again as (
    update ops.report_deliveries as delivery
    set
        status = 'pending',
        attempts = 0,
        next_attempt_at = now(),
        last_error = null,
        message_id = case
            when delivery.status = 'sent'
                then split_part(delivery.message_id, '.', 1) || '.' || run.resent
            else delivery.message_id
        end
    from run
    where
        delivery.run_id = run.id
        and delivery.role <> 'owner'
        and (
            delivery.status = 'failed' or (not cast(:failed as boolean) and delivery.status = 'sent')
        )
    returning delivery.id
)

select
    (select status from ops.report_runs where id = :run_id) as status,
    (select count(*) from again) as mails
