-- Every materialized view of the configured schemas, which others it reads, directly or through
-- plain views, and how long its last refresh took.
with recursive views as (
    select
        c.oid,
        format('%I.%I', n.nspname, c.relname) as label,
        n.nspname::text as schema_name,
        c.relname::text as view_name
    from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
    where c.relkind = 'm' and n.nspname = any(:schemas)
),
reads (view, relation) as (
    select oid, oid from views
    union
    select reads.view, d.refobjid
    from reads
    inner join pg_class as c
        on reads.relation = c.oid and (c.relkind = 'v' or c.oid = reads.view)
    inner join pg_rewrite as r on c.oid = r.ev_class
    inner join pg_depend as d
        on r.oid = d.objid
        and d.classid = 'pg_rewrite'::regclass
        and d.refclassid = 'pg_class'::regclass
)
select
    v.oid::bigint as oid,
    v.schema_name,
    v.view_name,
    v.label,
    array(
        select r.relation::bigint
        from reads as r
        where r.view = v.oid and r.relation <> v.oid and r.relation in (select oid from views)
    ) as depends_on,
    coalesce(
        (
            select l.seconds from ops.refresh_log as l
            where l.schema_name = v.schema_name and l.view_name = v.view_name and l.status = 'success'
            order by l.id desc
            limit 1
        ),
        0
    ) as seconds
from views as v
order by v.schema_name, v.view_name;
