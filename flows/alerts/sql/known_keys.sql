-- Return whether a key of the rules has all the values, and which values there are.
with known as (
    select distinct cast(state.key as jsonb) as key
    from ops.alert_rules as rule
    inner join ops.alert_states as state on rule.id = state.rule_id
    where
        rule.retired_at is null
        and state.key <> ''
        and (cast(:rule_name as text) is null or :rule_name in (rule.name, rule.definition ->> 'name'))
        and (cast(:owner as text) is null or :owner = rule.definition ->> 'owner')
)

select
    exists (select from known where known.key ?& cast(:keys as text [])) as is_matched,
    array(
        select distinct part.name
        from known
        cross join jsonb_array_elements_text(known.key) as part (name)
        where part.name <> ''
        order by part.name
    ) as names
