update ops.alert_rules as rule
set name = new_name.name
from jsonb_to_recordset(cast(:names as jsonb)) as new_name (rule_id bigint, name text)
where rule.id = new_name.rule_id
