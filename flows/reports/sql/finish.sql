-- The report is made: its files and its mails become known together. Mails are sent later, by anybody.
with run as (
    update ops.report_runs
    set
        status = :status,
        reason = coalesce(:reason, reason),
        error = null,
        rows = :rows,
        truncated = :truncated,
        content_hash = :content_hash,
        storage = :storage,
        files = cast(:files as jsonb),
        bytes = :bytes,
        mail = cast(:mail as jsonb),
        finished_at = now(),
        lease_owner = null,
        lease_until = null
    where id = :id and status = 'running' and lease_owner = :owner
    returning id
),

mails as (
    insert into ops.report_deliveries (run_id, recipient, role, message_id)
    select run.id, delivery.recipient, delivery.role, delivery.message_id
    from run
    cross join jsonb_to_recordset(cast(:deliveries as jsonb)) as delivery (
        recipient text, role text, message_id text
    )
    on conflict (message_id) do nothing
)

select id from run
