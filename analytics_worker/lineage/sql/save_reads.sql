-- Store what units read. Without relations, the last known ones stay, and the hash is null. Of the names that may be
-- columns, those of the relations as they are now are stored.
with given as (
    select distinct on (name)
        name,
        nullif(relations, 'null') as relations,
        nullif(tested, 'null') as tested,
        definition_hash,
        nullif(columns, 'null') as columns
    from jsonb_to_recordset(cast(:reads as jsonb)) as r (
        name text, relations jsonb, tested jsonb, definition_hash text, columns jsonb
    )
    order by name
),

found as (
    select g.name, jsonb_agg(jsonb_build_array(n.nspname, c.relname, a.attname)) as columns
    from given as g
    cross join lateral jsonb_to_recordset(g.columns) as r (schema text, relation text, names jsonb)
    inner join pg_namespace as n on r.schema = n.nspname
    inner join pg_class as c on n.oid = c.relnamespace and r.relation = c.relname
    inner join pg_attribute as a on c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped
    where coalesce(nullif(r.names, 'null') @> to_jsonb(a.attname::text), true)
    group by g.name
)

insert into ops.unit_reads as u (kind, name, scope, relations, tested, definition_hash, columns, updated_at)
select
    :kind,
    g.name,
    :scope,
    coalesce(g.relations, '[]'),
    g.tested,
    case when g.relations is not null then g.definition_hash end,
    case when g.columns is not null then coalesce(f.columns, '[]') end,
    now()
from given as g
left join found as f on g.name = f.name
on conflict (kind, md5(name)) do update set
    scope = excluded.scope,
    relations = case
        when excluded.definition_hash is null and excluded.kind <> 'dbt' then u.relations else excluded.relations
    end,
    tested = excluded.tested,
    columns = case when excluded.definition_hash is null then u.columns else excluded.columns end,
    definition_hash = excluded.definition_hash,
    updated_at = now()
