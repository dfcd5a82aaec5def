-- Privileges of the role that runs users' SQL beyond SELECT: all should be empty or false.
select
    current_user as role,
    (select r.rolsuper or r.rolcreaterole or r.rolcreatedb from pg_roles as r where r.rolname = current_user)
        as is_privileged,
    array(
        select format('%I.%I', n.nspname, c.relname)
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where
            n.nspname = 'ops' and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and c.relname <> all(cast(:shared_views as text []))
            and has_table_privilege(current_user, c.oid, 'select')
        limit 5
    ) as may_read,
    array(
        select n.nspname from pg_namespace as n
        where
            n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
            and has_schema_privilege(current_user, n.oid, 'create')
    ) as may_create_in,
    array(
        select format('%I.%I', n.nspname, c.relname)
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where
            c.relkind in ('r', 'p', 'v', 'm', 'f')
            and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
            and (
                has_table_privilege(current_user, c.oid, 'insert')
                or has_table_privilege(current_user, c.oid, 'update')
                or has_table_privilege(current_user, c.oid, 'delete')
                or has_table_privilege(current_user, c.oid, 'truncate')
            )
        limit 5
    ) as may_write_to,
    (
        select count(*)
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where
            n.nspname = any(cast(:schemas as text [])) and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and not has_table_privilege(current_user, c.oid, 'select')
    ) as can_not_read;
