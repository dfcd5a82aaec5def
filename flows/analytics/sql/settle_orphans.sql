-- Refreshes that nobody is working on: their view's lock is free.
update ops.refresh_log as r
set
    status = 'failed',
    error = 'The process ended before it could report',
    finished_at = now()
where r.status = 'running' and not exists (
    select 1 from pg_locks as l
    where l.locktype = 'advisory'
        and l.database = (select oid from pg_database where datname = current_database())
        and l.classid = cast(:lock_space as integer)::bigint::oid
        and l.objid = r.view_oid
        and l.objsubid = 2
);
