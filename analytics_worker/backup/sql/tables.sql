select
    relation.relname::text as name,
    array(
        select attribute.attname::text
        from pg_attribute as attribute
        where
            attribute.attrelid = relation.oid
            and attribute.attnum > 0
            and not attribute.attisdropped
            and attribute.attgenerated = ''
        order by attribute.attnum
    ) as columns
from pg_class as relation
where
    relation.relnamespace = (select oid from pg_namespace where nspname = :schema)
    and relation.relkind = 'r'
    and relation.relpersistence = 'p'
    and relation.relname <> 'alembic_version'
    and relation.relowner = (
        select version.relowner
        from pg_class as version
        where version.relnamespace = relation.relnamespace and version.relname = 'alembic_version'
    )
order by relation.relname;
