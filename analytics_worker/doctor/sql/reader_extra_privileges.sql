-- Privileges of the role that runs users' SQL besides reading tables, each with the statement that revokes
-- it. Privileges of superusers are not listed.
with me as (
    select r.*, quote_ident(r.rolname) as name from pg_roles as r where r.rolname = current_user
)
select
    'fail' as level,
    concat('it is a member of ', m.rolname, ' and can become it') as message,
    concat('revoke ', quote_ident(m.rolname), ' from ', me.name, ';') as fix
from me
inner join pg_roles as m on m.oid <> me.oid and pg_has_role(me.oid, m.oid, 'member')
where not me.rolsuper
union all
select 'fail', 'row level security does not apply to it', concat('alter role ', me.name, ' nobypassrls;')
from me where me.rolbypassrls and not me.rolsuper
union all
select 'fail', 'it may replicate the whole server', concat('alter role ', me.name, ' noreplication;')
from me where me.rolreplication and not me.rolsuper
union all
select
    'fail',
    concat('it owns ', cast(cast(c.oid as regclass) as text)),
    concat('alter table ', cast(cast(c.oid as regclass) as text), ' owner to ', quote_ident(:owner), ';')
from me
inner join pg_class as c on c.relowner = me.oid and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
where c.relnamespace <> cast('pg_toast' as regnamespace)
union all
select
    'warn',
    'it may create temporary tables',
    concat('revoke temporary on database ', quote_ident(current_database()), ' from public;')
from me where has_database_privilege(current_database(), 'temporary') and not me.rolsuper
union all
select
    'warn',
    'no limit of its temporary files',
    concat('As a superuser: alter role ', me.name, ' set temp_file_limit = ''10GB'';')
from me where current_setting('temp_file_limit') = '-1' and not me.rolsuper
union all
select
    'warn',
    'functions of the server that are refused in the text of SQL may be called in views',
    concat(
        'As a superuser: revoke execute on function ',
        string_agg(cast(cast(p.oid as regprocedure) as text), ', ' order by p.proname),
        ' from public; (docs/user-sql.md)'
    )
from me, pg_proc as p
where
    p.pronamespace = cast('pg_catalog' as regnamespace)
    and p.proname in (
        'pg_terminate_backend', 'pg_cancel_backend', 'pg_advisory_lock', 'pg_advisory_xact_lock', 'lo_create'
    )
    and has_function_privilege(p.oid, 'execute') and not me.rolsuper
having count(*) > 0;
