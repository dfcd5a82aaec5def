select
    sequence.sequencename::text as name,
    sequence.last_value,
    sequence.start_value
from pg_class as relation
inner join pg_depend as dependency
    on
        relation.oid = dependency.refobjid
        and dependency.refclassid = 'pg_class'::regclass
        and dependency.classid = 'pg_class'::regclass
        and dependency.deptype in ('a', 'i')
inner join pg_class as owned on dependency.objid = owned.oid and owned.relkind = 'S'
inner join pg_namespace as namespace on owned.relnamespace = namespace.oid
inner join pg_sequences as sequence
    on namespace.nspname = sequence.schemaname and owned.relname = sequence.sequencename
where
    relation.relnamespace = (select oid from pg_namespace where nspname = :schema)
    and relation.relname::text = any(cast(:tables as text[]))
order by sequence.sequencename;
