select
    status,
    count(*) as number,
    count(*) filter (where untold) as unnotified
from ops.alert_status
group by status
