select distinct definition ->> 'owner' as owner
from ops.alert_rules
where retired_at is null and definition ->> 'owner' is not null
