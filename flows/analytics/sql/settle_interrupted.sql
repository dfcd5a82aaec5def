-- Only the holder of the view's lock refreshes it: other running rows belong to processes that
-- died.
update ops.refresh_log
set
    status = 'failed',
    error = 'The process ended before it could report',
    finished_at = now()
where status = 'running' and view_oid = cast(:oid as oid) and id <> :id;
