-- Every relation outside the system's schemas, and the relations that it reads: those of a view or a
-- materialized view, and the partitions or children of a table.
with shown as (
    select c.oid, c.relkind, n.nspname::text as schema_name, c.relname::text as relation_name
    from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
    where
        c.relkind in ('r', 'p', 'v', 'm', 'f')
        and n.nspname <> 'information_schema'
        and n.nspname !~ '^pg_'
),

reads as (
    select r.ev_class as reader, d.refobjid as relation
    from pg_rewrite as r
    inner join pg_depend as d
        on r.oid = d.objid
        and d.classid = 'pg_rewrite'::regclass
        and d.refclassid = 'pg_class'::regclass
    union
    select i.inhparent, i.inhrelid from pg_inherits as i
),

inputs as (
    select r.reader, json_agg(json_build_array(o.schema_name, o.relation_name)) as reads
    from reads as r
    inner join shown as o on r.relation = o.oid
    where r.reader <> r.relation
    group by r.reader
)

select
    s.schema_name,
    s.relation_name,
    case s.relkind
        when 'v' then 'view'
        when 'm' then 'materialized view'
        when 'f' then 'foreign table'
        else 'table'
    end as kind,
    coalesce(i.reads, '[]') as reads
from shown as s
left join inputs as i on s.oid = i.reader
