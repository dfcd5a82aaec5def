-- This attempt failed; the next one may be anybody's.
update ops.report_runs
set status = 'pending', error = :error, lease_owner = null, lease_until = null
where id = :id and status = 'running' and lease_owner = :owner
