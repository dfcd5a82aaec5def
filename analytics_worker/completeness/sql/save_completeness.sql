-- Bring ops.completeness in step; writes only rows that differ. Add what changed to the history.
with found as (
    select f.*
    from json_to_recordset(cast(:rows as json)) as f (
        schema_name text,
        relation_name text,
        complete_through timestamptz,
        basis text,
        is_partial boolean,
        limited_by text,
        reason text,
        since timestamptz
    )
),

upserted as (
    insert into ops.completeness as c (
        schema_name, relation_name, complete_through, basis, is_partial, limited_by, reason, measured_at
    )
    select schema_name, relation_name, complete_through, basis, is_partial, limited_by, reason, :measured_at
    from found
    on conflict (schema_name, relation_name) do update set
        complete_through = excluded.complete_through,
        basis = excluded.basis,
        is_partial = excluded.is_partial,
        limited_by = excluded.limited_by,
        reason = excluded.reason,
        measured_at = excluded.measured_at
    where (c.complete_through, c.basis, c.is_partial, c.limited_by, c.reason)
        is distinct from (
            excluded.complete_through, excluded.basis, excluded.is_partial, excluded.limited_by, excluded.reason
        )
),

removed as (
    delete from ops.completeness as c
    where not exists (
        select from found as f where f.schema_name = c.schema_name and f.relation_name = c.relation_name
    )
)

insert into ops.completeness_history (schema_name, relation_name, since, complete_through, is_partial)
select schema_name, relation_name, since, complete_through, is_partial
from found
where basis = 'lineage' and since is not null
on conflict do nothing
