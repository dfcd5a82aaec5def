-- Release the claim after a failed attempt, so that any worker can claim the run.
update ops.report_runs
set status = 'pending', error = :error, lease_owner = null, lease_until = null
where id = :id and status = 'running' and lease_owner = :worker
