-- Whether the sources of the sample project exist.
select exists (
    select from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
    where n.nspname = 'raw' and c.relname = 'accounts'
) as loaded;
