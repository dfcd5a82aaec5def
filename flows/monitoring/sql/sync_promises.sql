-- Store the promises; one whose definition changed counts from now on. Delete the others, unless they could not
-- be read.
with defined as (
    select d.*
    from json_to_recordset(cast(:promises as json)) as d (
        name text,
        kind text,
        schema_name text,
        relation_name text,
        report text,
        definition jsonb,
        timezone text,
        owner text
    )
),

removed as (
    delete from ops.promises as p
    where
        not exists (select from defined as d where d.name = p.name)
        and not p.kind = any(cast(:unread_kinds as text []))
        and not p.name = any(cast(:unread_names as text []))
)

insert into ops.promises as p (
    name, kind, schema_name, relation_name, report, definition, timezone, owner, since
)
select name, kind, schema_name, relation_name, report, definition, timezone, owner, :now
from defined
on conflict (md5(name)) do update set
    definition = excluded.definition,
    timezone = excluded.timezone,
    owner = excluded.owner,
    since = case
        when (p.definition, p.timezone) = (excluded.definition, excluded.timezone) then p.since
        else excluded.since
    end
where (p.definition, p.timezone, p.owner) is distinct from (excluded.definition, excluded.timezone, excluded.owner)
