-- Servers of foreign tables in the covered schemas for which others have a user mapping, and the reader has none.
select
    s.srvname::text as server_name,
    pg_get_userbyid(s.srvowner)::text as owner,
    count(distinct c.oid) as foreign_tables,
    min(format('%I.%I', n.nspname, c.relname)) as example
from pg_foreign_table as f
inner join pg_class as c on f.ftrelid = c.oid
inner join pg_namespace as n on c.relnamespace = n.oid
inner join pg_foreign_server as s on f.ftserver = s.oid
where
    n.nspname = any(cast(:schemas as text []))
    and exists (select from pg_user_mappings as m where m.srvid = s.oid)
    and not exists (
        select from pg_user_mappings as m where m.srvid = s.oid and m.usename in (:role, 'public')
    )
group by s.srvname, s.srvowner
order by s.srvname;
