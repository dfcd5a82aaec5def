-- Nobody tries this report again by himself; its owner hears of it, once.
with run as (
    update ops.report_runs
    set
        status = 'failed',
        error = :error,
        finished_at = now(),
        attempts = case when :final then greatest(attempts, :most_attempts) else attempts end,
        lease_owner = null,
        lease_until = null
    where id = :id and status in ('pending', 'running')
    returning id, definition ->> 'owner' as owner
),

notice as (
    insert into ops.report_deliveries (run_id, recipient, role, message_id, payload)
    select id, owner, 'owner', :message_id, cast(:payload as jsonb)
    from run
    where owner is not null
    on conflict (message_id) do nothing
)

select id from run
