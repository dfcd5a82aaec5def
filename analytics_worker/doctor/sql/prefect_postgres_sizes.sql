-- Tables of the Prefect server, with their indexes.
select
    c.relname,
    pg_total_relation_size(c.oid)
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
where n.nspname = current_schema() and c.relkind = 'r' and c.relname = any(:names);
