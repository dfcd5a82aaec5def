-- Whether this user may create the worker's schema, or its tables in a schema that another role created.
select
    current_user::text as user_name,
    current_database()::text as database,
    pg_get_userbyid(d.datdba)::text as database_owner,
    pg_get_userbyid(n.nspowner)::text as schema_owner,
    has_database_privilege(d.oid, 'create') as may_create_schema,
    has_schema_privilege(n.oid, 'usage') and has_schema_privilege(n.oid, 'create') as may_create_tables
from pg_database as d
left join pg_namespace as n on n.nspname = 'ops'
where d.datname = current_database();
