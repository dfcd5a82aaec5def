-- The views of schema ops that users may read and the reader can't, with what this user may grant.
select
    c.relname::text as view_name,
    not has_schema_privilege(:role, n.oid, 'usage')
    and has_schema_privilege(n.oid, 'usage with grant option') as may_grant_usage,
    has_table_privilege(c.oid, 'select with grant option') as may_grant
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
where
    n.nspname = 'ops'
    and c.relname = any(cast(:shared_views as text []))
    and not (has_schema_privilege(:role, n.oid, 'usage') and has_table_privilege(:role, c.oid, 'select'))
order by c.relname;
