-- Running refreshes without a live process: no session holds the lock of the attempt.
update ops.refresh_log as r
set
    status = 'failed',
    error = 'The process ended before it could report',
    finished_at = now()
where r.status = 'running' and not exists (select from ops.key_holders(r.lock_key));
