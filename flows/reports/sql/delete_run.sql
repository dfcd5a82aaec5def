delete from ops.report_runs
where id = :id
