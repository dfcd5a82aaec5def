select
    id as key,
    extract(epoch from started_at) as at,
    schema_name || '.' || view_name as view,
    seconds
from ops.refresh_log
where
    status = 'success'
    and seconds is not null
    and started_at >= to_timestamp(%(since)s)
