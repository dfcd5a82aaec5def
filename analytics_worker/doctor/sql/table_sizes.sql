-- Every table of schema ops, largest first.
select
    c.relname as name,
    pg_total_relation_size(c.oid) as bytes,
    coalesce(t.n_live_tup, 0) as rows
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
left join pg_stat_user_tables as t on c.oid = t.relid
where n.nspname = 'ops' and c.relkind = 'r' and c.relname <> 'alembic_version'
order by 2 desc, 1;
