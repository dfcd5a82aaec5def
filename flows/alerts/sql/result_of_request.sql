select result
from ops.alert_requests
where id = cast(:id as uuid)
