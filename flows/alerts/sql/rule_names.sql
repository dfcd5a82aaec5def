select distinct name
from ops.alert_rules
where retired_at is null
