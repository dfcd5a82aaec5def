select
    relation.relname::text as table_name,
    foreign_key.conname::text as name,
    pg_get_constraintdef(foreign_key.oid) as definition
from pg_constraint as foreign_key
inner join pg_class as relation on foreign_key.conrelid = relation.oid
where
    foreign_key.contype = 'f'
    and foreign_key.conparentid = 0
    and relation.relnamespace = (select oid from pg_namespace where nspname = :schema)
    and relation.relname::text = any(cast(:tables as text[]))
order by relation.relname, foreign_key.conname;
