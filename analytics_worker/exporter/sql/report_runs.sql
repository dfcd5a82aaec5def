select
    id as key,
    extract(epoch from finished_at) as at,
    kind,
    coalesce(rows, 0) as rows,
    bytes
from ops.report_runs
where
    status = 'ready'
    and finished_at >= to_timestamp(%(since)s)
