-- Hold a lock in the name of the worker: it is alive as long as its connection holds the lock.
select pg_advisory_lock(hashtext('ops.report_runs'), hashtext(:worker))
