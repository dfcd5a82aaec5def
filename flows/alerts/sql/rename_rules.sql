-- Rename rules; silences of their old names concern the new ones.
with new_name as materialized (
    select *
    from jsonb_to_recordset(cast(:names as jsonb)) as new_name (rule_id bigint, name text)
),

renamed_silences as (
    update ops.alert_silences as silence
    set rule = new_name.name
    from new_name
    inner join ops.alert_rules as rule on new_name.rule_id = rule.id
    where silence.rule = rule.name
)

update ops.alert_rules as rule
set name = new_name.name
from new_name
where rule.id = new_name.rule_id
