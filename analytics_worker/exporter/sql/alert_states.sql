select
    status,
    count(*) as number
from ops.alert_status
group by status
