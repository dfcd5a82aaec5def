-- Schemas with relations of users: those of extensions, of the server and of the worker are no data.
select n.nspname::text as schema_name, count(c.oid) as relations
from pg_namespace as n
left join pg_class as c
    on n.oid = c.relnamespace
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and not exists (
        select from pg_depend as d
        where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'ops')
group by n.nspname
order by n.nspname;
