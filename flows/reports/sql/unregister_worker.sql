select pg_advisory_unlock(hashtext('ops.report_runs'), hashtext(:worker))
