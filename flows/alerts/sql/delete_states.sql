delete from ops.alert_states
where rule_id = any(cast(:rule_ids as bigint []))
