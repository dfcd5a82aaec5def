-- Brings ops.catalog_columns in step with pg_attribute and records how columns changed.
-- Columns of relations that appeared in this transaction are no changes, and those of vanished
-- relations are kept, so that one can look up what they had. A column that is at the position of a removed one
-- in the same relation is that column under another name: a position is never used again.
with types as materialized (  -- format_type costs too much to ask once per column
    select atttypid, atttypmod, format_type(atttypid, atttypmod) as data_type
    from pg_attribute
    where attnum > 0 and not attisdropped
    group by atttypid, atttypmod
),
found as materialized (
    select
        r.schema_name,
        r.relation_name,
        a.attname::text as column_name,
        a.attnum as position,
        t.data_type,
        not a.attnotnull as nullable,
        d.description,
        r.oid as relation_oid,
        r.first_seen_at = now() as is_new
    from ops.catalog_relations as r
    inner join pg_attribute as a on r.oid = a.attrelid
    inner join types as t on a.atttypid = t.atttypid and a.atttypmod = t.atttypmod
    left join pg_description as d
        on a.attrelid = d.objoid and d.classoid = 'pg_class'::regclass and a.attnum = d.objsubid
    where r.status <> 'missing' and a.attnum > 0 and not a.attisdropped
),
removed as (
    delete from ops.catalog_columns as k
    using ops.catalog_relations as r
    where k.schema_name = r.schema_name
        and k.relation_name = r.relation_name
        and r.status <> 'missing'
        and not exists (
            select 1 from found as f
            where f.schema_name = k.schema_name
                and f.relation_name = k.relation_name
                and f.column_name = k.column_name
        )
    returning k.schema_name, k.relation_name, k.column_name, k.position, k.data_type, k.nullable, k.relation_oid
),
differing as (
    select
        f.*,
        m.column_name as renamed_from,
        coalesce(k.data_type, m.data_type) as type_before,
        coalesce(k.nullable, m.nullable) as nullable_before
    from found as f
    left join ops.catalog_columns as k
        on f.schema_name = k.schema_name
        and f.relation_name = k.relation_name
        and f.column_name = k.column_name
    left join removed as m
        on k.column_name is null
        and f.schema_name = m.schema_name
        and f.relation_name = m.relation_name
        and f.relation_oid = m.relation_oid
        and f.position = m.position
    where (k.position, k.data_type, k.nullable, k.description, k.relation_oid)
        is distinct from (f.position, f.data_type, f.nullable, f.description, f.relation_oid)
),
upserted as (
    insert into ops.catalog_columns (
        schema_name, relation_name, column_name, position, data_type, nullable, description, relation_oid
    )
    select schema_name, relation_name, column_name, position, data_type, nullable, description, relation_oid
    from differing
    order by schema_name, relation_name, column_name
    on conflict (schema_name, relation_name, column_name) do update set
        position = excluded.position,
        data_type = excluded.data_type,
        nullable = excluded.nullable,
        description = excluded.description,
        relation_oid = excluded.relation_oid
    returning 1
),
changes as (
    insert into ops.catalog_changes (schema_name, relation_name, column_name, change, before, after)
    select schema_name, relation_name, column_name, 'column added', null, data_type
    from differing where type_before is null and not is_new
    union all
    select schema_name, relation_name, renamed_from, 'column renamed', renamed_from, column_name
    from differing where renamed_from is not null
    union all
    select schema_name, relation_name, column_name, 'type changed', type_before, data_type
    from differing where type_before <> data_type
    union all
    select schema_name, relation_name, column_name, 'nullability changed',
        case when nullable_before then 'nullable' else 'not null' end,
        case when nullable then 'nullable' else 'not null' end
    from differing where nullable_before <> nullable
    union all
    select m.schema_name, m.relation_name, m.column_name, 'column removed', m.data_type, null
    from removed as m
    where not exists (
        select 1 from differing as d
        where d.schema_name = m.schema_name
            and d.relation_name = m.relation_name
            and d.renamed_from = m.column_name
    )
    returning change
)
select
    (select count(*) from found) as columns,
    (select count(*) from upserted) as written,
    count(*) filter (where change = 'column added') as added,
    count(*) filter (where change = 'column removed') as removed,
    count(*) filter (where change = 'column renamed') as renamed,
    count(*) filter (where change = 'type changed') as retyped,
    count(*) filter (where change = 'nullability changed') as nullability
from changes;
