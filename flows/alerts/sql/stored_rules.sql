select
    id,
    kind,
    name,
    cast(definition as text) as definition,
    retired_at is not null as retired
from ops.alert_rules
where kind in ('alert', 'threshold')
