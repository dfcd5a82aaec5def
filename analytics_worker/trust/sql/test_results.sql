-- The last result of each dbt test in this database, and the relations that it tests. Of several targets, the
-- worst result counts.
select
    h.unique_id,
    min(h.name) as name,
    bool_or(h.status = 'failing') as is_failed,
    bool_or(h.warned_since is not null) as is_warned,
    max(coalesce(h.last_result_at, h.since)) as ran_at,
    bool_or(h.resource_type = 'test') as is_of_data,
    (array_agg(coalesce(u.tested, u.relations)))[1] as tested
from ops.dbt_node_health as h
inner join ops.unit_reads as u on md5(h.unique_id) = md5(u.name) and h.unique_id = u.name and u.kind = 'dbt'
where
    h.resource_type in ('test', 'unit_test')
    and h.status is not null
    and h.database_name in ('', current_database())
group by h.unique_id
order by h.unique_id
