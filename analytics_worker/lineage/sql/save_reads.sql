-- Store what units read. Without relations, the last known ones stay, and the hash is null.
insert into ops.unit_reads as u (kind, name, scope, relations, tested, definition_hash, updated_at)
select distinct on (r.name)
    :kind,
    r.name,
    :scope,
    coalesce(r.relations, '[]'),
    r.tested,
    case when jsonb_typeof(r.relations) = 'array' then r.definition_hash end,
    now()
from (
    select name, nullif(relations, 'null') as relations, nullif(tested, 'null') as tested, definition_hash
    from jsonb_to_recordset(cast(:reads as jsonb)) as given (
        name text, relations jsonb, tested jsonb, definition_hash text
    )
) as r
order by r.name
on conflict (kind, md5(name)) do update set
    scope = excluded.scope,
    relations = case
        when excluded.definition_hash is null and excluded.kind <> 'dbt' then u.relations else excluded.relations
    end,
    tested = excluded.tested,
    definition_hash = excluded.definition_hash,
    updated_at = now()
