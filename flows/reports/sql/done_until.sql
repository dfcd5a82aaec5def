-- The schedule has taken up this period: what it missed before is asked for, too.
update ops.report_definitions
set done_until = greatest(done_until, :period_end)
where name = :report
