update ops.report_definitions
set due_until = greatest(due_until, :due)
where name = :report
