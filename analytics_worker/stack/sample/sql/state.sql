-- Whether there is anything in schema raw, and whether the sample may replace it.
select
    exists (
        select from pg_class
        where relnamespace = to_regnamespace('raw') and relkind in ('r', 'p', 'v', 'm', 'f')
    ) as has_relations,
    coalesce(obj_description(to_regnamespace('raw'), 'pg_namespace') like 'Sample sources%', false) as is_sample
