-- The held parts of a run followed, or it is too late for them.
update ops.report_runs
set parts_held_until = null
where id = :id
