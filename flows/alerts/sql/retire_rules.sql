-- Retire rules removed from their file, without a notification.
with retired as (
    update ops.alert_rules
    set retired_at = now(), error = null, error_since = null, error_told = false, updated_at = now()
    where id = any(cast(:rule_ids as bigint []))
    returning id
)

delete from ops.alert_states
where rule_id in (select id from retired)
