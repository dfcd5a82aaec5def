-- The units that users look at: materialized views, relations of dbt, relations with a declared event-time column,
-- what rules and reports read, and the rules and reports of the files.
with units as (
    select 'rule' as kind, a.name
    from ops.alert_rules as a
    where a.kind <> 'event' and a.enabled and a.retired_at is null
    union all
    select 'report', d.name
    from ops.report_definitions as d
    where d.enabled and d.retired_at is null
),

relations as (
    select k.schema_name, k.relation_name
    from ops.catalog_relations as k
    where
        k.status <> 'missing'
        and (
            k.kind = 'materialized view'
            or (k.schema_name, k.relation_name) in (
                select d.schema_name, d.relation_name from ops.dbt_relations as d
            )
        )
    union
    select m.schema_name, m.relation_name from ops.event_time_measurements as m
    union
    select r.pair ->> 0, r.pair ->> 1
    from ops.unit_reads as u
    inner join units as n on u.kind = n.kind and md5(u.name) = md5(n.name) and u.name = n.name
    cross join lateral jsonb_array_elements(u.relations) as r (pair)
)

select 'relation' as kind, '' as name, r.schema_name, r.relation_name
from relations as r
where r.schema_name is not null and r.relation_name is not null
union all
select u.kind, u.name, '', ''
from units as u
