select
    rule_id,
    key,
    since,
    status,
    severity,
    value,
    reading as sample,
    worst as worst_value,
    pending_since,
    firing_since,
    empty_since,
    told as notified_severity,
    told_at as notified_at,
    ok_since,
    missing_since,
    no_data_told as no_data_notified,
    changes,
    flapping_since,
    calm_ended_at,
    muted_by,
    told_to
from ops.alert_states
where rule_id = any(cast(:rule_ids as bigint []))
