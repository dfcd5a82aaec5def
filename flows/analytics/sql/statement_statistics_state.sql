-- Whether pg_stat_statements can be read in this database, and where it is installed.
select
    (
        select n.nspname::text
        from pg_extension as e
        inner join pg_namespace as n on e.extnamespace = n.oid
        where e.extname = 'pg_stat_statements'
    ) as schema_name,
    (
        select string_to_array(extversion, '.')::integer[] >= array[1, 9]
        from pg_extension where extname = 'pg_stat_statements'
    ) as is_new_enough,
    current_setting('pg_stat_statements.max', true) is not null as is_loaded,
    pg_has_role('pg_read_all_stats', 'usage') as sees_all;
