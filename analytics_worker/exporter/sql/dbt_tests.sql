-- Tests of dbt by their last result; of several targets, the worst counts.
select
    t.result,
    count(*) as number
from (
    select
        case
            when bool_or(h.status = 'failing') then 'failed'
            when bool_or(h.warned_since is not null) then 'warned'
            else 'passed'
        end as result
    from ops.dbt_node_health as h
    where h.resource_type in ('test', 'unit_test') and h.status is not null
    group by h.unique_id
) as t
group by t.result
