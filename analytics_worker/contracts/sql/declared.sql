-- Bring ops.contracts in step with the file, and return all of them, those checked longest ago first.
with given as (
    select g.*
    from jsonb_to_recordset(cast(:contracts as jsonb)) as g (
        schema_name text, relation_name text, definition jsonb, severity text, owner text
    )
),

removed as (
    delete from ops.contracts as c
    where not exists (
        select from given as g where g.schema_name = c.schema_name and g.relation_name = c.relation_name
    )
),

saved as (
    insert into ops.contracts as c (schema_name, relation_name, definition, severity, owner)
    select schema_name, relation_name, definition, severity, owner
    from given
    on conflict (schema_name, relation_name) do update set
        definition = excluded.definition, severity = excluded.severity, owner = excluded.owner
    where (c.definition, c.severity, c.owner) is distinct from (excluded.definition, excluded.severity, excluded.owner)
)

select
    g.schema_name,
    g.relation_name,
    c.modifications,
    c.checked_at,
    c.retry_at,
    coalesce(c.checked_definition = g.definition, false) as is_same_definition
from given as g
left join ops.contracts as c on g.schema_name = c.schema_name and g.relation_name = c.relation_name
order by c.checked_at nulls first, g.schema_name, g.relation_name
