-- Whoever holds the view's lock is the only one refreshing it: other rows that say so are of
-- processes that died.
update ops.refresh_log
set
    status = 'failed',
    error = 'The process ended before it could report',
    finished_at = now()
where status = 'running' and view_oid = cast(:oid as oid) and id <> :id;
