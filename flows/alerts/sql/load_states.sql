select
    rule_id,
    key,
    since,
    status,
    severity,
    value,
    reading,
    worst,
    pending_since,
    firing_since,
    empty_since,
    told,
    told_at,
    changes,
    flapping_since
from ops.alert_states
where rule_id = any(cast(:rule_ids as bigint []))
