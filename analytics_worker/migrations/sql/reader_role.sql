-- Whether the role exists, and whose it is, as its comment says.
select
    r.rolname is not null as role_exists,
    shobj_description(r.oid, 'pg_authid') as comment,
    current_user::text as owner,
    current_database()::text as database
from (select) as one
left join pg_roles as r on r.rolname = :role;
