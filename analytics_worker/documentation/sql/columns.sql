-- Tables and views of schema ops with their comments, one row per column.
select
    relation.relname as relation,
    case relation.relkind when 'v' then 'view' else 'table' end as kind,
    obj_description(relation.oid, 'pg_class') as relation_comment,
    attribute.attname as name,
    format_type(attribute.atttypid, attribute.atttypmod) as type,
    attribute.attnotnull as required,
    col_description(relation.oid, attribute.attnum) as comment
from pg_class as relation
inner join pg_attribute as attribute on relation.oid = attribute.attrelid
where
    relation.relnamespace = 'ops'::regnamespace
    and relation.relkind in ('r', 'p', 'v', 'm')
    and relation.relname <> 'alembic_version'
    and attribute.attnum > 0
    and not attribute.attisdropped
order by relation.relname, attribute.attnum
