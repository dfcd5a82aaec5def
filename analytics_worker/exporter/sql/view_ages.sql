-- Since when the contents of each view may be out of date: the start of its last refresh, or the last
-- look that found nothing changed.
select
    relation.schema_name || '.' || relation.relation_name as view,
    extract(epoch from now() - refresh.current_at) as age
from ops.catalog_relations as relation
cross join lateral (
    select case status when 'success' then started_at else finished_at end as current_at
    from ops.refresh_log
    where
        schema_name = relation.schema_name
        and view_name = relation.relation_name
        and status in ('success', 'unchanged')
    order by id desc
    limit 1
) as refresh
where relation.kind = 'materialized view' and relation.status <> 'missing'
