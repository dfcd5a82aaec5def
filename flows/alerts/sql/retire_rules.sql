-- Retire rules removed from their file.
update ops.alert_rules
set
    retired_at = now(),
    error = null,
    error_since = null,
    error_told = false,
    error_told_at = null,
    no_data_since = null,
    no_data_told_at = null,
    updated_at = now()
where id = any(cast(:rule_ids as bigint []))
