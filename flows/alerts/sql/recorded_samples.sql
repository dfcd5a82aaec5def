select
    evaluation.slot,
    evaluation.reading as sample,
    evaluation.readings as samples,
    evaluation.error
from ops.alert_evaluations as evaluation
inner join ops.alert_rules as rule on evaluation.rule_id = rule.id
where rule.name = :rule_name and rule.kind <> 'event' and evaluation.slot >= :since
order by evaluation.slot
