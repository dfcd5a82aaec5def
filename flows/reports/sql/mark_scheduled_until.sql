-- Record that all periods of a report up to this end were requested.
update ops.report_definitions
set done_until = greatest(done_until, :period_end)
where name = :report
