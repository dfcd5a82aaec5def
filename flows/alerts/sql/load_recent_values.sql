-- Load the last values of some rules, or of some of their keys, the latest first. Those of another SQL, as of
-- a removed rule of the same name, are none of these rules.
select
    wanted.rule_id,
    recorded.value,
    recorded.samples
from jsonb_to_recordset(cast(:rules as jsonb)) as wanted (rule_id bigint, keys jsonb)
inner join ops.alert_rules as rule on wanted.rule_id = rule.id
cross join lateral (
    select encode(sha256(convert_to(rule.definition ->> 'sql', 'UTF8')), 'hex') as sql_hash
) as current
cross join lateral (
    select
        evaluation.slot,
        evaluation.value,
        (
            select jsonb_object_agg(name.key, evaluation.readings -> name.key)
            from jsonb_array_elements_text(wanted.keys) as name (key)
        ) as samples
    from ops.alert_evaluations as evaluation
    where
        evaluation.rule_id = wanted.rule_id
        and coalesce(evaluation.sql_hash = current.sql_hash, true)
    order by evaluation.slot desc
    limit :max_values
) as recorded
order by wanted.rule_id, recorded.slot desc
