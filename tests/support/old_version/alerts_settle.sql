-- What became of one message. Nobody waits for the disk: a killed sender loses no commit, and a
-- database that crashes at this moment costs a repetition, never a message.
update ops.alert_deliveries
set
    status = :status,
    attempts = attempts + :tries,
    next_attempt_at = now() + make_interval(secs => :delay_seconds),
    last_error = :error,
    sent_at = case when :status = 'sent' then now() end,
    lease_owner = null,
    lease_until = null
where
    id = :id
    and (lease_owner = :owner or (:status = 'sent' and status <> 'sent'))
    and set_config('synchronous_commit', 'off', true) is not null
