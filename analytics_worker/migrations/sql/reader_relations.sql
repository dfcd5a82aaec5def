-- The relations that the reader should read and can't, with what this user may grant.
select
    n.nspname::text as schema_name,
    c.relname::text as relation_name,
    format('%I.%I', n.nspname, c.relname) as label,
    pg_get_userbyid(c.relowner)::text as owner,
    has_table_privilege(c.oid, 'select with grant option') as may_grant
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
where
    n.nspname = any(cast(:schemas as text []))
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and not has_table_privilege(:role, c.oid, 'select')
order by n.nspname, c.relname;
