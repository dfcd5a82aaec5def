-- Relations outside of the covered schemas that this user granted to the reader, in schemas that it covered once: the
-- default privileges of this user there are the worker's.
select
    n.nspname::text as schema_name,
    c.relname::text as relation_name,
    acl.grantor = me.oid as is_ours
from pg_roles as me
inner join pg_roles as reader on reader.rolname = :role
inner join pg_default_acl as d on d.defaclrole = me.oid and d.defaclobjtype = 'r'
inner join pg_namespace as n on d.defaclnamespace = n.oid
left join pg_class as c on c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')
left join lateral aclexplode(c.relacl) as acl
    on acl.grantee = reader.oid and acl.grantor = me.oid and acl.privilege_type = 'SELECT'
where
    me.rolname = current_user
    and n.nspname <> all(cast(:schemas as text []))
    and exists (
        select from aclexplode(d.defaclacl) as future where future.grantee = reader.oid
    )
    and not (n.nspname = 'public' and to_regnamespace('raw') is not null)  -- the sample's views there
order by n.nspname, c.relname;
