-- Load the last values of some rules, or of some of their keys, the latest first.
select
    wanted.rule_id,
    recorded.value,
    recorded.samples
from jsonb_to_recordset(cast(:rules as jsonb)) as wanted (rule_id bigint, keys jsonb)
cross join lateral (
    select
        evaluation.slot,
        evaluation.value,
        (
            select jsonb_object_agg(name.key, evaluation.readings -> name.key)
            from jsonb_array_elements_text(wanted.keys) as name (key)
        ) as samples
    from ops.alert_evaluations as evaluation
    where evaluation.rule_id = wanted.rule_id
    order by evaluation.slot desc
    limit :max_values
) as recorded
order by wanted.rule_id, recorded.slot desc
