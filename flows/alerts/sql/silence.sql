update ops.alert_rules
set silenced_until = :until, silence_reason = :reason, updated_at = now()
where name = :rule_name and retired_at is null
returning id
