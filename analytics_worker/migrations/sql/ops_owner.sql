-- Relations in schema ops, and whether the worker's migrations made it.
select
    to_regclass('ops.alembic_version') is not null as is_migrated,
    array(
        select c.relname::text from pg_class as c
        where
            c.relnamespace = to_regnamespace('ops')
            and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        order by c.relname
    ) as relations;
