-- One materialized view as it is now: whether it can be refreshed concurrently, and by us.
select
    c.oid::bigint as oid,
    c.relispopulated as is_populated,
    has_table_privilege(c.oid, 'select') as is_readable,
    exists (
        select 1 from pg_index as i
        where i.indrelid = c.oid
            and i.indisunique and i.indisvalid and i.indimmediate
            and i.indpred is null and i.indexprs is null
    ) as has_unique_index
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
where n.nspname = :schema_name and c.relname = :view_name and c.relkind = 'm';
