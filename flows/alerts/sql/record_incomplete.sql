-- Record since when data is missing of the periods of rules that are not evaluated for that reason. A rule with times
-- of its own stays due; any other one is due again in its next period.
update ops.alert_rules as rule
set
    incomplete_since = incomplete.since,
    evaluated_slot = case
        when coalesce(rule.definition ->> 'at', rule.definition ->> 'cron') is not null then rule.evaluated_slot
        else date_bin(rule.every, incomplete.slot, timestamptz 'epoch')
    end
from jsonb_to_recordset(cast(:rules as jsonb)) as incomplete (rule_id bigint, slot timestamptz, since timestamptz)
where
    rule.id = incomplete.rule_id
    and (
        rule.incomplete_since is distinct from incomplete.since
        or coalesce(rule.definition ->> 'at', rule.definition ->> 'cron') is null
    )
