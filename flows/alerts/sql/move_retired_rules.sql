-- Give retired rules another name if a rule is renamed to theirs; their history is kept.
update ops.alert_rules as rule
set name = rule.name || ' (retired, ' || cast(rule.id as text) || ')'
from jsonb_to_recordset(cast(:names as jsonb)) as new_name (rule_id bigint, name text)
inner join ops.alert_rules as renamed on new_name.rule_id = renamed.id
where rule.kind = renamed.kind and rule.name = new_name.name and rule.retired_at is not null
