select
    name,
    key,
    status,
    severity,
    value,
    since,
    told,
    silenced,
    owner,
    error,
    count(*) over () as total
from ops.alert_status
order by
    array_position(array['firing', 'error', 'pending', 'no_data', 'unknown', 'ok'], status),
    severity nulls last,
    name,
    key
limit :most
