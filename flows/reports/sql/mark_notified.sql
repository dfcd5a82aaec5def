-- Store which differences the owner knows of; a new one is shown by the next run of the report.
update ops.report_comparisons as c
set
    handled = c.changes,
    notified = n.notified,
    notified_at = case when c.notified = n.notified then c.notified_at else now() end,
    shown_in = case when c.notified = n.notified then c.shown_in end
from jsonb_to_recordset(cast(:runs as jsonb)) as n (run_id bigint, notified jsonb)
where c.run_id = n.run_id
