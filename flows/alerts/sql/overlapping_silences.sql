-- Find the active silences that concern alerts of a rule, an owner and a severity; null is any.
select
    silence.rule,
    silence.owner,
    silence.severity,
    silence.keys,
    silence.until
from ops.alert_silences as silence
where
    silence.until > now()
    and (cast(:severity as text) is null or silence.severity is null or silence.severity = :severity)
    and exists (
        select
        from ops.alert_rules as rule
        where
            rule.retired_at is null
            and (silence.rule is null or silence.rule in (rule.name, rule.definition ->> 'name'))
            and (silence.owner is null or silence.owner = rule.definition ->> 'owner')
            and (cast(:rule_name as text) is null or :rule_name in (rule.name, rule.definition ->> 'name'))
            and (cast(:owner as text) is null or :owner = rule.definition ->> 'owner')
    )
order by silence.until, silence.id
