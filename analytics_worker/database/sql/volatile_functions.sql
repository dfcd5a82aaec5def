-- Functions of PostgreSQL and of its extensions that are volatile, except those that are known to be harmless.
-- A function that takes internal values can't be called from SQL.
select distinct p.proname
from pg_catalog.pg_proc as p
where
    p.provolatile = 'v'
    and p.prokind = 'f'
    and p.proname <> all(%(harmless)s)
    and cast('internal' as regtype) <> all(p.proargtypes)
    and (
        p.pronamespace = cast('pg_catalog' as regnamespace)
        or exists (
            select from pg_catalog.pg_depend as d
            where
                d.classid = cast('pg_catalog.pg_proc' as regclass)
                and d.objid = p.oid
                and d.deptype = 'e'
        )
    )
