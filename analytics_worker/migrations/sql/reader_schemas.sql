-- The schemas that the reader should see, with what this user may grant there.
select
    n.nspname::text as schema_name,
    quote_ident(n.nspname) as label,
    pg_get_userbyid(n.nspowner)::text as owner,
    has_schema_privilege(:role, n.oid, 'usage') as is_readable,
    has_schema_privilege(n.oid, 'usage with grant option') as may_grant,
    has_schema_privilege(n.oid, 'create') as may_create
from pg_namespace as n
where n.nspname = any(cast(:schemas as text []))
order by n.nspname;
